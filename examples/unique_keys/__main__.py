"""Enqueues reports of two days, one of them twice. The lower priority runs first."""

from __future__ import annotations

import django

import jobs
from examples.unique_keys.jobs import MakeReport


def main() -> None:
    django.setup()

    first = jobs.enqueue(MakeReport("Monday"), priority=10)
    again = jobs.enqueue(MakeReport("Monday"), priority=10)
    print(f"The second job is the first one: {again.already_enqueued and again.pk == first.pk}")

    jobs.enqueue(MakeReport("Tuesday"), priority=-10)
    print("Tuesday's report is more urgent, so it is made first.")


if __name__ == "__main__":
    main()
