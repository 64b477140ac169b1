"""Enqueues a job that fails twice."""

from __future__ import annotations

import django

import jobs
from examples.error_reports.jobs import Charge


def main() -> None:
    django.setup()

    jobs.enqueue(Charge("order 7"))
    print("Enqueued. Both of its attempts will be reported.")


if __name__ == "__main__":
    main()
