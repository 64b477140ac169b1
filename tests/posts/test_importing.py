from __future__ import annotations

import json
import threading
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from comments.models import Comment
from posts import importing, lines
from posts.importing import import_posts
from posts.lines import BadLine, CannotImport
from posts.models import Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def write(tmp_path):
    """Writes lines, as bytes or as what JSON is made of, to a file and returns its
    path.
    """

    def write(*found):
        path = tmp_path / "posts.jsonl"
        path.write_bytes(
            b"".join(
                (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"
                for line in found
            )
        )
        return path

    return write


def line(key="k", title="t", **others):
    return {"key": key, "title": title, **others}


def comment(name="n", message="m"):
    return {"name": name, "message": message}


def make_file(tmp_path, count, bad=0):
    path = tmp_path / "made.jsonl"
    call_command("makeposts", path, count=count, bad=bad, verbosity=0)
    written = [json.loads(text) for text in path.read_text().splitlines()] if not bad else []
    return path, sum(len(post["comments"]) for post in written)


def test_posts_are_imported_with_their_comments(write):
    path = write(
        line("a", "Grüße", body="b", comments=[comment(), comment("o")]), b"", b" \t", line("b")
    )
    report = import_posts(path)
    assert str(report) == (
        f"Imported 2 posts with 2 comments from {path}; 0 bad lines skipped; 0 were there already."
    )
    assert list(Post.objects.values_list("import_key", "title", "body")) == [
        ("a", "Grüße", "b"),
        ("b", "t", ""),
    ]
    found = [
        (comment.post.import_key, comment.name, comment.message)
        for comment in Comment.objects.all()
    ]
    assert found == [("a", "n", "m"), ("a", "o", "m")]


def test_a_bad_line_is_reported_with_its_number_and_skipped(write, caplog, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE", 200_000)
    bad = [
        (
            b"{",
            "This is not JSON: Expecting property name enclosed in double "
            "quotes: line 1 column 2 (char 1).",
        ),
        (b"[" * 100_000, "This JSON is nested too deeply."),
        (b'{"key": "\xff"}', "This is not UTF-8."),
        (
            b'{"key": ' + b"9" * 5000 + b"}",
            "This JSON has a number that isn't one, or has thousands of digits.",
        ),
        (b"x" * 200_001, "It is longer than 200000 bytes."),
        ([], "Invalid data. Expected a dictionary, but got list."),
        ({"title": "t"}, "key: This field is required."),
        ({"key": "k"}, "title: This field is required."),
        (line(""), "key: This field may not be blank."),
        (line(5), "key: Not a valid string."),
        (line("x" * 256), "key: Ensure this field has no more than 255 characters."),
        (line(title=None), "title: This field may not be null."),
        (line(title="\0"), "title: Null characters are not allowed."),
        (line(title="\ud800"), "title: Surrogate characters are not allowed: U+D800."),
        (line(body="x" * 100_001), "body: Ensure this field has no more than 100000 characters."),
        (line(comments="none"), 'comments: Expected a list of items but got type "str".'),
        (line(comments=None), "comments: This field may not be null."),
        (
            line(comments=[comment(), comment(name="")]),
            "comments[1].name: This field may not be blank.",
        ),
        (line(comments=[5]), "comments[0]: Invalid data. Expected a dictionary, but got int."),
    ]
    path = write(line("first"), *(content for content, _ in bad), line("last"))
    report = import_posts(path)
    expected = [BadLine(number, reason) for number, (_, reason) in enumerate(bad, start=2)]
    assert report.bad_lines == expected
    assert (report.posts, report.bad) == (2, len(bad))
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}, {line}" for line in expected
    ]
    assert list(Post.objects.values_list("import_key", flat=True)) == ["first", "last"]


def test_of_very_many_bad_lines_the_first_are_reported_and_all_are_counted(
    write, monkeypatch, caplog
):
    monkeypatch.setattr(importing, "MAX_REPORTED", 3)
    report = import_posts(write(*[b"?"] * 10))
    assert (report.bad, [bad.number for bad in report.bad_lines], len(caplog.records)) == (
        10,
        [1, 2, 3],
        3,
    )


def test_importing_again_adds_what_is_new_and_nothing_twice(write):
    same = [comment(), comment(), comment("o")]
    assert (
        import_posts(write(line("a", comments=same), line("b"), line("a", "again"))).already_there
        == 1
    )
    Comment.objects.filter(name="o").delete()
    report = import_posts(
        write(line("a", comments=[comment("new"), *same]), line("c", comments=same))
    )
    assert (report.posts, report.comments, report.already_there) == (1, 5, 1)
    assert sorted(Post.objects.values_list("import_key", "title")) == [
        ("a", "t"),
        ("b", "t"),
        ("c", "t"),
    ]
    assert sorted(Comment.objects.filter(post__import_key="a").values_list("name", flat=True)) == [
        "n",
        "n",
        "new",
        "o",
    ]


def test_a_run_that_was_killed_is_completed_by_the_next(tmp_path, monkeypatch):
    path, comment_count = make_file(tmp_path, 50)
    monkeypatch.setattr(importing, "BATCH", 7)
    add_missing, calls = importing._add_missing, []

    def die_after_a_while(model, wanted):
        calls.append(model)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return add_missing(model, wanted)

    monkeypatch.setattr(importing, "_add_missing", die_after_a_while)
    with pytest.raises(KeyboardInterrupt):
        import_posts(path)
    posts, comments = Post.objects.count(), Comment.objects.count()
    assert 0 < posts < 50
    assert 0 < comments < comment_count

    report = import_posts(path)
    assert (report.posts, report.comments, report.already_there) == (
        50 - posts,
        comment_count - comments,
        posts,
    )
    assert (Post.objects.count(), Comment.objects.count()) == (50, comment_count)


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_share_the_work(tmp_path, monkeypatch):
    path, comment_count = make_file(tmp_path, 200)
    monkeypatch.setattr(importing, "BATCH", 20)
    start, reports = threading.Barrier(2), []

    def run():
        try:
            start.wait(120)
            reports.append(import_posts(path))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.posts for report in reports) == Post.objects.count() == 200
    assert sum(report.comments for report in reports) == Comment.objects.count() == comment_count
    assert sum(report.already_there for report in reports) == 200


def test_what_somebody_else_adds_between_look_up_and_insertion_is_not_added_twice(
    write, monkeypatch
):
    path = write(*(line(key) for key in "abcdef"))
    others = ["c", "e"]

    def atomic():
        if others:
            Post.objects.create(import_key=others.pop(0), title="theirs")
        return transaction.atomic()

    monkeypatch.setattr(importing, "transaction", SimpleNamespace(atomic=atomic))
    report = import_posts(path)
    assert not others
    assert (report.posts, report.already_there) == (4, 2)
    assert "".join(sorted(Post.objects.values_list("import_key", flat=True))) == "abcdef"


def test_an_integrity_error_that_is_not_about_keys_is_raised(write, monkeypatch):
    def refuse(manager, rows):
        raise IntegrityError("a check failed")

    monkeypatch.setattr(type(Post.objects), "bulk_create", refuse)
    with pytest.raises(IntegrityError, match="a check failed"):
        import_posts(write(line()))


def test_comments_of_a_post_deleted_during_the_import_are_not_left_behind(write, monkeypatch):
    add_missing = importing._add_missing

    def delete_post_first(model, wanted):
        if model is Comment:
            Post.objects.filter(import_key="a")._raw_delete("default")
        return add_missing(model, wanted)

    monkeypatch.setattr(importing, "_add_missing", delete_post_first)
    import_posts(write(line("a", comments=[comment()]), line("b", comments=[comment()])))
    assert [comment.post.import_key for comment in Comment.objects.all()] == ["b"]


def test_memory_is_that_of_one_batch(write, monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 3)
    batches = []
    monkeypatch.setattr(
        importing, "_import_batch", lambda batch, report: batches.append(len(batch))
    )
    import_posts(write(*(line(f"{number}") for number in range(8))))
    assert batches == [3, 3, 2]


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(
        CannotImport, match=r"nowhere can't be imported: No such file or directory\."
    ):
        import_posts(tmp_path / "nowhere")
    with pytest.raises(CannotImport, match=r"can't be imported: Is a directory\."):
        import_posts(tmp_path)
