from __future__ import annotations

import json

import pytest
from django.core.signing import Signer

import jobs
from jobs.delayed import PerformableMethod
from jobs.models import Job, State
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


def test_what_cannot_be_delayed_is_refused(monkeypatch):
    monkeypatch.setattr(Target, "_private", lambda: calls.append("private"), raising=False)
    with pytest.raises(AttributeError, match="no public method 'nothing'"):
        jobs.delay(Target).nothing()
    with pytest.raises(AttributeError, match="no public method"):
        jobs.delay(Target)._private()
    with pytest.raises(ValueError, match=r"unsaved posts\.Post"):
        jobs.delay(Post(title="new")).delete()
    with pytest.raises(TypeError, match="model instances and classes"):
        jobs.delay([]).append(1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("method", "forget"),
        ("target", {"class": "subprocess.Popen"}),
        ("target", {"class": "tests.samples.Record"}),
        ("args", [["touch", "/tmp/never"]]),
        ("args", []),
        ("kwargs", {"b": 3}),
        ("kwargs", {}),
        ("signature", ""),
        ("signature", "forged"),
    ],
)
def test_a_row_somebody_tampered_with_calls_nothing(key, value):
    job = jobs.delay(Target).remember(1, b=2)
    handler = json.loads(job.handler)
    handler["fields"][key] = value
    Job.objects.update(handler=json.dumps(handler))
    assert jobs.Worker().work_off() == (0, 1)
    row = Job.objects.get()
    assert (row.state, row.attempts) == (State.FAILED, 0)
    assert "SECRET_KEY" in row.last_error
    assert calls == []


def test_a_forged_row_with_an_empty_signature_is_not_signed_by_loading_it():
    post = Post.objects.create(title="t")
    job = jobs.delay(post).refresh_from_db()
    handler = json.loads(job.handler)
    handler["fields"].update(method="delete", signature="")
    Job.objects.update(handler=json.dumps(handler))
    assert jobs.Worker().work_off() == (0, 1)
    assert Post.objects.exists()


def test_only_this_projects_keys_sign_and_an_older_one_does_while_it_is_a_fallback(settings):
    settings.SECRET_KEY = "the first key"
    job = jobs.delay(Target).remember(1, b=2)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the second key", ["the first key"]
    assert jobs.Worker().work_off() == (1, 0)
    jobs.delay(Target).remember(3, b=4)
    Job.objects.update(handler=job.handler)
    settings.SECRET_KEY_FALLBACKS = []
    assert jobs.Worker().work_off() == (0, 1)
    assert calls == [(1, 2)]


def test_a_row_that_an_earlier_version_signed_is_called_and_no_other_signature_of_the_key_will_do(
    settings,
):
    settings.SECRET_KEY = "the first key"
    signature = "WVKU46fpAZTWBLUmrmOR9ZW_B9dB-zBj3hEGXRh_r8I"
    fields = {
        "target": {"class": "tests.samples.Target"},
        "method": "remember",
        "args": [1],
        "kwargs": {"b": 2},
    }
    for salt in ("", "django.core.signing.Signer"):
        text = json.dumps(list(fields.values()), sort_keys=True)
        with pytest.raises(jobs.DeserializationError, match="SECRET_KEY"):
            PerformableMethod(**fields, signature=Signer(salt=salt).signature(text))
    PerformableMethod(**fields, signature=signature).perform()
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
