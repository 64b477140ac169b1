from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import checks
from django.core.management import CommandError, call_command

from batchexec.checks import check_settings as check_batchexec
from jobs.checks import check_keys, check_plugins, check_settings
from jobs.conf import settings as options
from tests.processes import ROOT


def test_a_variable_that_the_settings_do_not_read_is_named_with_the_line_to_write(
    settings, monkeypatch
):
    settings.JOBS, settings.BATCHEXEC = {"MAX_ATTEMPTS": 5}, {}
    monkeypatch.setenv("JOBS_LEASE", "30")
    monkeypatch.setenv("JOBS_MAX_ATTEMPTS", "3")  # the settings have a value of their own
    monkeypatch.setenv("BATCHEXEC_JOB_QUEUE", "shop")
    (jobs,), (batchexec,) = check_settings(None), check_batchexec(None)
    assert (jobs.id, jobs.msg.split()[0]) == ("jobs.W011", "JOBS_LEASE")
    assert (batchexec.id, batchexec.msg.split()[0]) == ("batchexec.W011", "BATCHEXEC_JOB_QUEUE")
    assert "BATCHEXEC = batchexec.conf.settings.from_environment(os.environ)" in batchexec.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"MAX_ATTEMPT": 3},
        {"MAX_ATTEMPTS": "three"},
        {"MAX_ATTEMPTS": 0},
        {"MAX_RUN_TIME": -1},
        {"LEASE": 0.5},
        {"SLEEP_DELAY": True},
        {"QUEUES": "mail"},
        {"QUEUE_ATTRIBUTES": {"mail": {"prio": 1}}},
        {"DELAY_JOBS": "no"},
        {"DEPLOY_WINDOW": -1},
        {"SIGNING_KEYS": []},
        {"SIGNING_KEYS": ["key", ""]},
        {"SIGNING_KEYS": [b"key"]},
        {"SIGNING_KEYS": "key"},
        {"RAISE_SIGNAL_EXCEPTIONS": "always"},
    ],
)
def test_a_wrong_setting_is_named_by_a_system_check(settings, wrong):
    settings.JOBS = wrong
    (error,) = check_settings(None)
    assert next(iter(wrong)) in error.msg
    assert error.id in ("jobs.E001", "jobs.E002")


def test_the_defaults_and_both_kinds_of_durations_are_right(settings):
    assert check_settings(None) == check_plugins(None) == check_batchexec(None) == []
    settings.JOBS = {"LEASE": timedelta(minutes=1), "MAX_RUN_TIME": 7}
    assert (options.LEASE, options.MAX_RUN_TIME, options.MAX_ATTEMPTS) == (60.0, 7.0, 25)
    settings.JOBS = []
    assert "must be a dictionary" in check_settings(None)[0].msg


def test_a_plugin_that_is_none_is_named(settings):
    settings.JOBS = {"PLUGINS": ["jobs.nothing.Here", "jobs.models.Job"]}
    assert [error.id for error in check_plugins(None)] == ["jobs.E003", "jobs.E003"]


def test_the_environment_is_read_by_the_type_that_is_wanted():
    read = options.from_environment(
        {
            "JOBS_QUEUES": "a, b,",
            "JOBS_MAX_ATTEMPTS": "3",
            "JOBS_LEASE": "2.5",
            "JOBS_DELAY_JOBS": "no",
            "JOBS_QUEUE_ATTRIBUTES": '{"mail": {"priority": -1}}',
            "JOBS_RAISE_SIGNAL_EXCEPTIONS": "term",
            "JOBS_DEFAULT_QUEUE_NAME": "7",
            "JOBS_MIN_PRIORITY": "",
            "JOBS_SLEEP_DELAY": "soon",
            "JOBS_SIGNING_KEYS": "new, old",
            "OTHER": "x",
        }
    )
    assert read == {
        "QUEUES": ["a", "b"],
        "MAX_ATTEMPTS": 3,
        "LEASE": 2.5,
        "DELAY_JOBS": False,
        "QUEUE_ATTRIBUTES": {"mail": {"priority": -1}},
        "RAISE_SIGNAL_EXCEPTIONS": "term",
        "DEFAULT_QUEUE_NAME": "7",
        "SIGNING_KEYS": ["new", "old"],
        "SLEEP_DELAY": "soon",  # passed on, for the system check to name
    }


def test_jobs_imports_neither_boto3_nor_batchexec():
    for path in (ROOT / "jobs").rglob("*.py"):
        for line in path.read_text().splitlines():
            words = line.split()
            assert words[:1] not in (["import"], ["from"]) or not words[1].startswith(
                ("boto", "batchexec")
            ), f"{path}: {line}"


def test_use_tz_false_is_named_by_a_check(settings):
    from jobs.checks import check_time_zone

    assert check_time_zone(None) == []
    settings.USE_TZ = False
    [error] = check_time_zone(None)
    assert error.id == "jobs.E004"
    assert "USE_TZ = True" in error.msg


def test_a_workers_name_that_does_not_fit_its_column_is_refused():
    import jobs

    with pytest.raises(ValueError, match="at most 200 characters"):
        jobs.Worker(name="x" * 201)
    assert jobs.Worker(name="x" * 200).name == "x" * 200


@pytest.mark.parametrize("text", ["\udcff", "a\x00b", "a\nb", "\x1b[31m", "\u202e", "\x7f"])
def test_a_name_that_cannot_be_shown_is_refused_in_one_line(run_jobworker, text):
    import jobs

    with pytest.raises(ValueError, match="printable text"):
        jobs.Worker(name=text)
    with pytest.raises(CommandError, match="printable text") as refused:
        run_jobworker("--name", text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("text", ["\udcff", "a\x00b", "x" * 256])
def test_a_queue_that_no_job_can_have_is_refused_in_one_line(run_jobworker, text):
    with pytest.raises(CommandError, match="No queue can have the name") as refused:
        run_jobworker("--queues", f"mail,{text}")
    assert str(refused.value).isprintable()


@pytest.fixture
def run_jobworker():
    return lambda *arguments: call_command("jobworker", *arguments)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MAX_ATTEMPTS", 0),
        ("MAX_ATTEMPTS", 2**31),
        ("MAX_RUN_TIME", -1),
        ("MAX_RUN_TIME", 1e12),
        ("MAX_RUN_TIME", float("nan")),
        ("SLEEP_DELAY", float("inf")),
        ("LEASE", 0.5),
        ("LEASE", 10**11),
        ("KEEP_SUCCEEDED_FOR", 10**11),
        ("DEFAULT_PRIORITY", 2**31),
        ("MIN_PRIORITY", -(2**40)),
        ("DEFAULT_QUEUE_NAME", ""),
        ("DEFAULT_QUEUE_NAME", "q" * 256),
        ("READ_AHEAD", 0),
    ],
)
def test_a_value_out_of_its_keys_range_is_named_by_the_check(settings, key, value):
    from jobs.checks import check_settings

    settings.JOBS = {key: value}
    [error] = check_settings(None)
    assert error.id == "jobs.E002"
    assert f"JOBS['{key}'] is" in error.msg


def test_a_wrong_key_is_in_no_message(settings):
    settings.JOBS = {"SIGNING_KEYS": "a-very-secret-key"}
    (error,) = check_settings(None)
    assert "SIGNING_KEYS" in error.msg
    assert "a-very-secret-key" not in error.msg
    assert options.from_environment({"JOBS_SIGNING_KEYS": "none"}) == {"SIGNING_KEYS": None}


STRONG = "k5v9-w3r8y2u6i1o4p7a0s5d8f3g6h9j2l4z7x1c-b8n5m2q9e6t3"
WEAK = {
    "": "is empty",
    STRONG[:49]: "has fewer than 50 characters",
    "abcd" * 20: "has fewer than 5 different characters",
    " " * 60: "has fewer than 5 different characters",
    "django-insecure-" + STRONG: "is a development key",
    "insecure-" + STRONG: "is a development key",
}


@pytest.mark.parametrize("weak", [key for key in WEAK if key])
@pytest.mark.parametrize("place", [0, 1])
def test_a_weak_signing_key_is_named_by_a_check_in_every_project(settings, weak, place):
    settings.DEBUG = False
    keys = [STRONG, STRONG[::-1]]
    settings.JOBS = {"SIGNING_KEYS": keys}
    assert check_keys(None) == []
    keys[place] = weak
    settings.JOBS = {"SIGNING_KEYS": keys}
    (found,) = check_keys(None)
    assert (found.id, found.level) == ("jobs.E007", checks.ERROR)
    assert f"JOBS['SIGNING_KEYS'][{place}] {WEAK[weak]}" in found.msg
    assert weak not in str(found)
    settings.DEBUG = True
    assert [(each.id, each.level) for each in check_keys(None)] == [("jobs.W005", checks.WARNING)]


@pytest.mark.parametrize("weak", WEAK)
def test_a_weak_key_of_djangos_is_named_where_it_signs_jobs(settings, weak):
    settings.DEBUG, settings.JOBS = False, {}
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = STRONG, [STRONG, weak]
    (found,) = check_keys(None)
    assert (found.id, found.level) == ("jobs.W005", checks.WARNING)
    assert found.msg.startswith(f"SECRET_KEY_FALLBACKS[1] {WEAK[weak]}")
    settings.SECRET_KEY_FALLBACKS = []
    if weak:  # Django itself refuses to be without
        settings.SECRET_KEY = weak
        assert [each.msg.split()[0] for each in check_keys(None)] == ["SECRET_KEY"]
        settings.SECRET_KEY = weak.encode()
        assert len(check_keys(None)) == 1
        settings.JOBS = {"SIGNING_KEYS": [STRONG]}  # it signs no jobs now
        assert check_keys(None) == []
        settings.DEBUG, settings.JOBS = True, {}
        assert check_keys(None) == []


@pytest.mark.parametrize(
    "text", [",", " ", f"{STRONG},", f",{STRONG}", '["", "x"]', '"x"', "[x", "7"]
)
def test_a_key_of_the_environment_is_never_dropped_in_silence(settings, text):
    settings.DEBUG = False
    settings.JOBS = options.from_environment({"JOBS_SIGNING_KEYS": text})
    found = [*check_settings(None), *check_keys(None)]
    assert [each.level for each in found] == [checks.ERROR]
    assert "SIGNING_KEYS" in found[0].msg
    assert STRONG not in str(found)
