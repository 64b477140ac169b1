from __future__ import annotations

import pytest

import jobs
from posts.models import Post
from tests.samples import Target, calls

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_method_of_an_instance_is_called_with_its_arguments():
    post = Post.objects.create(title="t")
    job = jobs.delay(post, queue="mail", priority=20).refresh_from_db(fields=["title"])
    assert (job.queue, job.priority, job.name) == ("mail", 20, "posts.models.Post#refresh_from_db")
    assert jobs.Worker().work_off() == (1, 0)


def test_a_method_of_a_class_is_called():
    job = jobs.delay(Target).remember(1, b=(2, 3))
    assert job.name == "tests.samples.Target.remember"
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == [(1, (2, 3))]


def test_what_cannot_be_delayed_is_refused():
    with pytest.raises(AttributeError, match="no method 'nothing'"):
        jobs.delay(Target).nothing()
    with pytest.raises(ValueError, match=r"unsaved posts\.Post"):
        jobs.delay(Post(title="new")).delete()
    with pytest.raises(TypeError, match="model instances and classes"):
        jobs.delay([]).append(1)


def test_private_methods_are_delayed_like_others():
    job = jobs.delay(Target)._private(7)
    assert job.name == "tests.samples.Target._private"
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == [7]


def test_handle_asynchronously_enqueues_and_now_runs_at_once():
    target = Target()
    job = Target.later("x")
    assert (job.queue, job.priority) == ("slow", 7)
    assert calls == []
    assert Target.later.now("y") == "result of y"
    assert calls == ["y"]
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == ["y", "x"]
    with pytest.raises(TypeError, match="model instances"):
        target.not_a_model()
