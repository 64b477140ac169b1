"""Enqueues two jobs. They run on AWS Batch if the worker has `--batch`."""

from __future__ import annotations

import django

import jobs
from examples.on_batch.jobs import RenderFilm


def main() -> None:
    django.setup()

    for film in ("Metropolis", "Nosferatu"):
        job = jobs.enqueue(RenderFilm(film))
        print(f"Enqueued {film} as job {job.pk}.")


if __name__ == "__main__":
    main()
