import pytest
from django.core.management import CommandError, call_command

from posts.jobs import ImportPosts
from posts.lines import BadLine, read
from posts.management.commands.makeposts import SPOILERS


def make(path, **options):
    call_command("makeposts", path, verbosity=0, **options)
    return path.read_bytes()


def test_the_same_arguments_make_the_same_file(tmp_path):
    path = tmp_path / "posts.jsonl"
    assert make(path, count=50, bad=5, seed=7) == make(path, count=50, bad=5, seed=7)
    assert make(path, count=50, bad=5, seed=7) != make(path, count=50, bad=5, seed=8)


def test_it_has_as_many_lines_and_bad_ones_of_every_kind_as_wanted(tmp_path, capsys):
    path = tmp_path / "posts.jsonl"
    count = 3 * len(SPOILERS)
    make(path, count=count, bad=len(SPOILERS))
    assert (
        capsys.readouterr().out == f"Wrote {count} lines to {path}, {len(SPOILERS)} of them bad.\n"
    )
    found = list(read(path))
    assert len(found) == count
    assert len({line.reason.partition(":")[2] for line in found if isinstance(line, BadLine)}) >= 8
    assert sum(isinstance(line, BadLine) for line in found) == len(SPOILERS)


@pytest.mark.django_db
def test_what_it_makes_can_be_imported(tmp_path, capsys):
    path = tmp_path / "posts.jsonl"
    make(path, count=30, bad=2)
    capsys.readouterr()
    ImportPosts(str(path)).perform()
    printed = capsys.readouterr().out
    assert printed.startswith("Imported 28 posts with ")
    assert printed.endswith(f" comments from {path}; 2 bad lines skipped; 0 were there already.\n")


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(CommandError, match="--bad must be a number from 0 to --count"):
        make(tmp_path / "posts.jsonl", count=1, bad=2)
    with pytest.raises(CommandError, match="can't be written: No such file or directory"):
        make(tmp_path / "no" / "posts.jsonl")
