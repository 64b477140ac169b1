"""docs/getting-started.md, followed word by word by a user who has nothing but it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.package import guide
from tests.package.terminal import Terminal, server_port
from tests.servers import Postgres, free_port


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    folder = Path("/tmp") / f"package-{free_port()}"  # where PostgreSQL's user may go
    folder.mkdir()
    server = Postgres(folder)
    server.start()
    server.create_database("shop")
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL", "MongoDB"])
def test_it_leads_from_an_empty_folder_to_a_job_on_the_local_batch(
    database: str, terminal: Callable[[], Terminal], request: pytest.FixtureRequest
) -> None:
    changed = of_this_machine()
    if database == "PostgreSQL":
        url = request.getfixturevalue("postgres").url
        changed["postgres://user:password@127.0.0.1:5432/shop"] = f"{url.rpartition('/')[0]}/shop"
    shell = terminal()
    output = []
    for step in guide.steps(database):
        text = step.text
        for theirs, ours in changed.items():
            text = text.replace(theirs, ours)
        if step.path:
            path = next(shell.folder.glob("*/manage.py")).parent / step.path
            with path.open("a") as file:
                file.write(f"\n{text}")
        elif port := server_port(text):
            shell.serve(text, port)
        else:
            output.append(shell.run(text))
    said = "".join(output)
    assert "System check identified no issues (0 silenced)." in said
    assert said.count("Invoice for order 42") == 1
    assert "Invoice for order 43" in output[-1]  # the container's log
    assert said.count("Invoice for order 43") == 1  # so the worker didn't perform it


def of_this_machine() -> dict[str, str]:
    """The page's ports to free ones, which its commands name then."""
    mongo, batch = free_port(), free_port()
    return {
        "127.0.0.1:27117": f"127.0.0.1:{mongo}",
        "manage.py localmongo": f"manage.py localmongo --port {mongo}",
        "5005": str(batch),
        "manage.py localbatch --create": f"manage.py localbatch --create --port {batch}",
    }
