from __future__ import annotations

import pytest

import jobs
from posts.models import Post
from tests.samples import Target, calls

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_method_of_an_instance_is_called_with_its_arguments(monkeypatch):
    def remember(self, a, b):
        calls.append((self.title, a, b))

    monkeypatch.setattr(Post, "remember", remember, raising=False)
    post = Post.objects.create(title="before")
    job = jobs.delay(post, queue="mail", priority=20).remember(1, b=(2, 3))
    assert (job.queue, job.priority, job.name) == ("mail", 20, "posts.models.Post#remember")
    Post.objects.update(title="as it is when the job runs")
    assert jobs.Worker().work_off() == (1, 0)
    assert calls == [("as it is when the job runs", 1, (2, 3))]


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


def test_only_this_projects_keys_sign_and_an_older_one_does_while_it_is_a_fallback(settings):
    settings.SECRET_KEY = "the first key"
    job = jobs.delay(Target).remember(1, b=2)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the second key", ["the first key"]
    assert jobs.Worker().work_off() == (1, 0)
    jobs.delay(Target).remember(3, b=4)
    jobs.Job.objects.update(handler=job.handler, signature=job.signature)
    settings.SECRET_KEY_FALLBACKS = []
    assert jobs.Worker().work_off() == (0, 1)
    assert calls == [(1, 2)]


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
