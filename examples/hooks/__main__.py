"""Enqueues a job that succeeds at its third attempt."""

from __future__ import annotations

import django

import jobs
from examples.hooks.jobs import FetchRates


def main() -> None:
    django.setup()

    jobs.enqueue(FetchRates("the central bank"))
    print("Enqueued. The job will be rescheduled twice.")


if __name__ == "__main__":
    main()
