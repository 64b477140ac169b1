"""Enqueues calls: of a class's methods, one of them decorated, and of a row's."""

from __future__ import annotations

import django

import jobs


def main() -> None:
    django.setup()
    # Models, and classes with decorated methods, can be imported only after the setup.
    from examples.delayed_method.newsletter import Newsletter
    from posts.models import Post

    job = jobs.delay(Newsletter, queue="mail").send("ada@example.com", subject="News")
    print(f"Enqueued {job.name} in the queue {job.queue}.")

    job = Newsletter.clean_up()
    print(f"Enqueued {job.name} in the queue {job.queue}.")

    # A model instance is stored by reference, and read again when the job runs.
    draft = Post.objects.create(title="A draft that nobody will miss")
    job = jobs.delay(draft).delete()
    print(f"Enqueued {job.name} of post {draft.pk}.")


if __name__ == "__main__":
    main()
