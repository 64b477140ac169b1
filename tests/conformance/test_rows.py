"""What the tables must promise, whoever writes to them."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection

import jobs
from comments.models import Comment
from jobs.models import Job
from posts.models import Post
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)


def test_any_number_of_jobs_have_no_unique_key_and_one_holds_a_key():
    for key in (None, None, "k", "l"):
        Job.objects.create(unique_key=key)
    with pytest.raises(DatabaseError):
        Job.objects.create(unique_key="k")
    assert Job.objects.count() == 4


@pytest.mark.parametrize("model", [Post, Comment])
def test_any_number_of_records_were_not_imported_and_one_has_a_key(model):
    post = {"post": Post.objects.create(title="t")} if model is Comment else {}
    for key in (None, None, "k"):
        model.objects.create(import_key=key, **post)
    with pytest.raises(DatabaseError):
        model.objects.create(import_key="k", **post)
    assert model.objects.count() == 3


def test_rows_that_django_adds_and_rows_that_the_queue_adds_have_ids_of_their_own():
    found = [Job.objects.create().pk, jobs.enqueue(Record()).pk, Job.objects.create().pk]
    found += [job.pk for job in jobs.enqueue_many([Record(), Record()])]
    assert len(set(found)) == 5
    assert set(Job.objects.values_list("pk", flat=True)) == set(found)


def test_no_migration_is_missing():
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


def test_the_claim_has_an_index():
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Job._meta.db_table)
    assert any(
        constraint["columns"][:3] == ["state", "priority", "run_at"]
        for constraint in found.values()
    )
