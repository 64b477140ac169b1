"""`manage.py jobs` and `jobworker` at a terminal."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

import jobs
from jobs.management.terminal import cells, cut, table
from jobs.models import Job, State
from tests.jobs.commanding import enqueued
from tests.processes import ROOT, environment, row, wait_for
from tests.samples import Fail, Record, Wait
from tests.terminals import terminal

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "Boom: " + "a very long reason " * 5
WIDE = "紙がありません" * 20


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_a_table_is_no_wider_than_the_terminal_and_ids_are_whole(columns):
    found = [
        enqueued(State.FAILED, last_error=LONG, name=name, queue=name[:100])
        for name in ("x" * 200, WIDE, "e\u0301" * 90)
    ]
    with terminal("jobs", "list", columns=columns) as screen:
        assert screen.wait() == 0
        shown = screen.text.splitlines()
    assert len(shown) == 4
    # Nine columns need some room.
    assert max(map(cells, shown)) <= max(columns, 100)
    assert [line.split()[0] for line in shown[1:]] == [str(job.pk) for job in reversed(found)]


def test_columns_are_cut_by_the_cells_that_a_terminal_gives_them():
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdef", 5) == "abcd…"
    assert cut("紙紙紙", 5) == "紙紙…"
    assert cut("紙紙紙", 4) == "紙…"
    assert cells("e\u0301\u200b") == 1
    rows = [("ID", "NAME", "ERROR"), ("7" * 24, "n" * 50, WIDE)]
    assert max(map(cells, table(rows, width=60).splitlines())) <= 60
    assert "7" * 24 in table(rows, width=10)
    assert WIDE in table(rows)
    timed = [("ID", "RUN AT", "NAME"), ("7", "2026-11-26 09:42:38", "n" * 19)]
    assert "2026-11-26 09:42:38  nnnn" in table(timed, width=34)
    assert max(map(cells, table(timed, width=24).splitlines())) <= 24


def test_nothing_is_cut_for_a_program():
    enqueued(State.FAILED, name="x" * 200, last_error=LONG)
    done = subprocess.run(
        [sys.executable, "manage.py", "jobs", "list"],
        cwd=ROOT,
        env=environment(COLUMNS="40"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "x" * 200 in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("extra", "options", "coloured"),
    [
        ({}, [], True),
        ({"NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": ""}, [], True),
        ({"TERM": "dumb"}, [], False),
        ({}, ["--no-color"], False),
        ({"NO_COLOR": "1"}, ["--force-color"], True),
    ],
)
def test_colours_are_for_a_terminal_whose_user_wants_them(extra, options, coloured):
    enqueued(State.FAILED)
    enqueued(queue="failed\x1b[35m")
    with terminal("jobs", *options, "list", **extra) as screen:
        assert screen.wait() == 0
        written = screen.written
    assert ("\x1b[31mfailed\x1b[0m" in written) is coloured
    assert ("\x1b" in written) is coloured
    assert "\x1b[35m" not in written
    with terminal("jobs", *options, "show", "nonsense", **extra) as screen:
        assert screen.wait() == 4
        assert ("\x1b" in screen.written) is coloured


def test_watch_shows_what_changes_until_ctrl_c():
    job = enqueued(queue="a queue")
    with terminal("jobs", "stats", "--watch", "0.2") as screen:
        screen.shows("ready")
        Job.objects.filter(pk=job.pk).update(state=State.DETACHED)
        screen.shows("1 of them detached")
        screen.interrupt()
        assert screen.wait() == 0
        assert "Traceback" not in screen.text


def test_watch_shows_no_more_lines_than_the_terminal_has():
    for _ in range(30):
        enqueued()
    with terminal("jobs", "list", "--watch", "3600", lines=10) as screen:
        screen.shows("(23 more lines)")
        screen.interrupt()
        assert screen.wait() == 0
        assert screen.text.count("\n") == 9


def test_watch_writes_a_document_a_line_for_a_program():
    enqueued()
    watching = subprocess.Popen(
        [sys.executable, "manage.py", "jobs", "stats", "--json", "--watch", "0.2"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert watching.stdout is not None
    for _ in range(2):
        assert json.loads(watching.stdout.readline())["total"] == 1
    watching.stdout.close()  # whoever read has seen enough
    assert watching.stderr is not None
    with watching.stderr as stderr:
        assert stderr.read() == b""
    assert watching.wait(120) == 0


def test_watch_looks_on_while_the_database_is_away(tmp_path):
    (file := tmp_path / "db.sqlite3").mkdir()  # which isn't a file that can be opened
    url = f"sqlite:///{file}"
    with terminal("jobs", "stats", "--watch", "0.2", DATABASE_URL=url) as screen:
        screen.shows("The database can't be reached")
        file.rmdir()
        screen.shows("migrate")  # that isn't an outage: it ends
        assert screen.wait() == 1


def test_it_asks_on_the_terminal_and_takes_the_answer():
    job = enqueued()
    for answer, state in (("n", State.READY), ("y", State.CANCELLED)):
        with terminal("jobs", "cancel", "--queue", "default") as screen:
            screen.shows("Cancel 1 job (1 ready)? [y/N]")
            screen.type(f"{answer}\n")
            assert screen.wait() == (0 if answer == "y" else 1)
        assert row(job).state == state


# jobworker


def test_a_bar_shows_how_far_the_worker_has_come():
    for payload in (Record(1), Record(2), Fail()):
        jobs.enqueue(payload)
    Job.objects.filter(name__contains="Fail").update(attempts=24)
    with terminal("jobworker", "--exit-on-complete", columns=120) as screen:
        assert screen.wait() == 0
        text = screen.text
    assert re.search(r"\[#{24}\] 3 of 3 jobs, 1 failed, [\d.,]+/s", text)
    # The log's lines are whole, above it.
    assert any(line.endswith("No more jobs available. Exiting") for line in text.splitlines())


def test_the_bar_counts_a_job_once_between_two_counts(monkeypatch):
    from jobs.management import progress

    bar = progress.ProgressBar()
    assert bar.text() == "0 jobs"
    bar._counted = 12
    share = f"[{' ' * 24}] 0 of 12 jobs"
    assert bar.text() == share
    for outcome in (True, False, None):
        bar.around_perform(None, None, lambda outcome=outcome: outcome)
    assert bar.text().startswith(f"[{'#' * 4}{' ' * 20}] 2 of 11 jobs, 1 failed, ")
    with pytest.raises(ZeroDivisionError):  # a job that can't be loaded
        bar.around_perform(None, None, lambda: 1 / 0)
    assert "3 of 11 jobs, 2 failed, " in bar.text()
    bar._counted = progress.MOST
    assert "+ jobs" in bar.text()
    assert " left" not in bar.text()
    assert "another Ctrl-C" in bar.text(stopping=True)


def test_no_bar_disturbs_a_log_that_is_no_terminal(start):
    jobs.enqueue(Record(1))
    process = start("jobworker", "--exit-on-complete")
    assert process.wait() == 0
    assert "1 of 1" not in process.output
    assert "\x1b" not in process.output
    with terminal("jobworker", "--exit-on-complete", TERM="dumb") as screen:
        assert screen.wait() == 0
        assert "\x1b" not in screen.written


def test_the_first_ctrl_c_says_what_still_runs_and_what_a_second_one_does(tmp_path):
    job = jobs.enqueue(Wait(str(tmp_path / "log"), str(tmp_path / "go")))
    command = ("jobworker", "--exit-on-complete")
    with terminal(*command, columns=200, JOBS_LEASE="3600") as screen:
        wait_for(lambda: (tmp_path / "log").exists(), what="the job began")
        screen.shows("1 running")
        screen.interrupt()
        screen.shows("1 job is still running in this process, and waited for; a second signal")
        screen.shows(f"Wait (id={job.pk}")
        screen.shows("another Ctrl-C interrupts what is running")
        screen.interrupt()
        screen.shows("they are interrupted")
        assert screen.wait() == 0
    assert row(job).attempts == 1


def test_a_worker_without_jobs_says_no_more_than_that_it_exits(start):
    process = start("jobworker")
    wait_for(lambda: "Starting job worker" in process.output)
    process.send(signal.SIGINT)
    assert process.wait() == 0
    assert "INT received: exiting" in process.output
    assert "still running" not in process.output


def test_what_a_job_prints_and_logs_appears_above_the_bar(monkeypatch):
    import io

    from jobs.management.progress import ERASE, Footer

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    footer = Footer(screen)
    with footer.in_place():
        footer.draw("1 of 2")
        print("part", end="")
        footer.draw("never in the middle of a line")
        print(" and rest")
        footer.draw("2 of 2")
        sys.stdout.flush()
    assert sys.stdout is screen
    assert screen.getvalue() == f"{ERASE}1 of 2{ERASE}part and rest\n{ERASE}2 of 2{ERASE}"
