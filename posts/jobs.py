"""Sample jobs. Enqueue one with `jobs.enqueue(DummyJob("Hello AWS Batch!"))`."""

from __future__ import annotations

from dataclasses import dataclass

import jobs


@dataclass
class DummyJob(jobs.Performable):
    """Prints its message."""

    message: str

    def perform(self) -> None:
        print(self.message)  # noqa: T201


@dataclass
class DummyErrorJob(jobs.Performable):
    """Always fails."""

    message: str = "This job always fails."

    def perform(self) -> None:
        raise RuntimeError(self.message)


@dataclass
class ImportPosts(jobs.Performable):
    """Imports a JSON Lines file of posts with their comments: see `posts.importing`."""

    path: str

    # The CPU and memory it gets on AWS Batch: see batchexec.Resources.
    batch = {"vcpu": 0.5, "memory": 1024}

    def perform(self) -> None:
        # Imported here, so that a process that only enqueues the job doesn't load it.
        from posts.importing import import_posts

        print(import_posts(self.path))  # noqa: T201
