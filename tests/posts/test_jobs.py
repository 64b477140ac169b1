import pytest

from posts.jobs import DummyErrorJob, DummyJob, ImportPosts
from posts.lines import CannotImport
from tests.handlers import reloaded


def test_sample_jobs_survive_being_stored():
    for job in (
        DummyJob("Hello AWS Batch!"),
        DummyErrorJob(),
        DummyErrorJob("no"),
        ImportPosts("posts.jsonl"),
    ):
        assert reloaded(job) == job


def test_sample_jobs_do_what_they_say(capsys, tmp_path):
    DummyJob("Hello AWS Batch!").perform()
    assert capsys.readouterr().out == "Hello AWS Batch!\n"
    with pytest.raises(RuntimeError, match="This job always fails"):
        DummyErrorJob().perform()
    with pytest.raises(RuntimeError, match=r"^no$"):
        DummyErrorJob("no").perform()
    with pytest.raises(CannotImport, match="No such file"):
        ImportPosts(str(tmp_path / "nowhere")).perform()
