"""The file that `batchexec deploy` reads DATABASE_URL from."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchexec.deploying.secrets import database_url


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mongodb://u:pass-word@h/x", "was given a URL"),
        ("", "directory"),
        ("a\0b", "No such file"),
        ("a" * 5000, "too long"),
        (".", "Is a directory"),
        ("/dev/zero", "10000 characters or more"),
        ("-", "must hold one URL"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence_without_the_url(
    monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.setattr("sys.stdin", None)  # as where it is closed
    with pytest.raises(ValueError, match=message) as error:
        database_url(name)
    assert "pass-word" not in str(error.value)
    assert len(str(error.value)) < 500


def test_the_mark_of_an_encoding_is_no_part_of_the_url(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_bytes(b"\xef\xbb\xbfmongodb://u:word@db.example.com/x\r\n")
    assert database_url(str(file)) == "mongodb://u:word@db.example.com/x"
