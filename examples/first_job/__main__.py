"""Enqueues one job, and then three by one round trip to the database."""

from __future__ import annotations

import django

import jobs
from examples.first_job.jobs import Greet


def main() -> None:
    django.setup()

    job = jobs.enqueue(Greet("Ada"))
    print(f"Enqueued job {job.pk}, which is {job.state}.")

    many = jobs.enqueue_many([Greet("Bob"), Greet("Chiara"), Greet("Dmitri")])
    print(f"Enqueued {len(many)} more.")


if __name__ == "__main__":
    main()
