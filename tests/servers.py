"""Database servers for tests and benchmarks: on the loopback interface, in a folder."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jobs.management.commands.localmongo import SERVE

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A free port below those of outgoing connections, which could take it first."""
    while True:
        # Not `random`: pytest-randomly gives all processes of a run the same numbers.
        port = 15_000 + secrets.randbelow(15_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for_port(
    port: int,
    seconds: float = 60,
    *,
    given_up: Callable[[], bool] = lambda: False,
    log: Path | None = None,
) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError as error:
            if given_up() or time.monotonic() > deadline:
                raise RuntimeError(
                    f"Nothing answers on port {port}.\n{log.read_text() if log else ''}"
                ) from error
            time.sleep(0.05)


class Server(ABC):
    """A database server in `folder`, which must exist. It keeps its port.

    `durable`: what it has acknowledged survives a crash, as in production. Without it,
    a server waits for no disk.
    """

    def __init__(self, folder: Path, *, durable: bool = True):
        self.folder = folder
        self.durable = durable
        self.port = free_port()

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def start(self) -> None:
        """Returns once it accepts connections."""

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def crash(self) -> None:
        """As a crash would end it: connections break, and unwritten data is gone."""

    @property
    @abstractmethod
    def running(self) -> bool: ...

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        wait_for_port(
            self.port, given_up=lambda: process.poll() is not None, log=self.folder / "log"
        )


class Mongo(Server):
    """SecantusDB, over the real MongoDB wire protocol."""

    process: subprocess.Popen[bytes]
    python = sys.executable

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/jobs?serverSelectionTimeoutMS=5000"

    def start(self) -> None:
        options = [
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--storage-path",
            str(self.folder / "data"),
        ]
        # As `manage.py localmongo` does, and with failpoints.
        options += ["--enable-test-commands", "--log-level", "WARNING"]
        if self.durable:
            options.append("--sync-on-commit")
        with (self.folder / "log").open("ab") as log:
            command = [self.python, "-c", SERVE, *options]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_for(self.process)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def crash(self) -> None:
        self._end(signal.SIGKILL)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def _end(self, signum: int) -> None:
        self.process.send_signal(signum)
        self.process.wait(60)


class Djongo(Mongo):
    """The same for djongo, whose environment can't hold SecantusDB.

    LOCALMONGO_PYTHON is an interpreter that has it.
    """

    python = os.environ.get("LOCALMONGO_PYTHON", sys.executable)

    @property
    def url(self) -> str:
        # On a busy machine, its old driver may take long to find the server.
        return "djongo+" + super().url.replace("=5000", "=30000")


class DocumentDB(Server):
    """Another MongoDB engine behind our gateway; see docs/databases.md."""

    gateway: subprocess.Popen[bytes]

    def __init__(self, folder: Path, *, durable: bool = True):
        super().__init__(folder, durable=durable)
        # Not above: it needs packages that djongo's environment can't have.
        from tests.documentdb.engine import Engine

        self.engine = Engine(folder, free_port())

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/jobs?serverSelectionTimeoutMS=5000"

    def start(self) -> None:
        self.engine.start()
        command = [sys.executable, "-m", "tests.documentdb", str(self.port), self.engine.dsn]
        with (self.folder / "log").open("ab") as log:
            self.gateway = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self._wait_for(self.gateway)

    def stop(self) -> None:
        self._end_gateway()
        self.engine.stop()

    def crash(self) -> None:
        self._end_gateway()
        self.engine.crash()

    @property
    def running(self) -> bool:
        return self.engine.running

    def _end_gateway(self) -> None:
        self.gateway.kill()
        self.gateway.wait(60)


class Postgres(Server):
    """PostgreSQL, from where Debian keeps it or from PATH.

    It refuses to run as root: where we are, it runs as `postgres` or `nobody`.
    """

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/jobs"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        if not self._data.exists():
            self._initialize()
        self._run("pg_ctl", "start", "--wait", "--pgdata", self._data, "--log", self.folder / "log")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--pgdata", self._data, "--mode", "fast")

    def crash(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--pgdata", self._data, "--mode", "immediate")

    @property
    def running(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    def create_database(self, name: str = "jobs") -> None:
        """By default the one that the URL names. Django's test runner makes its own."""
        self._run(
            "createdb", "--host", "127.0.0.1", "--port", self.port, "--username", "postgres", name
        )

    def _initialize(self) -> None:
        own_by(unprivileged("postgres"), self.folder)
        options = [
            "--username",
            "postgres",
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
        ]
        self._run("initdb", "--pgdata", self._data, *options)
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n")
            settings.write("unix_socket_directories = ''\n")
            if not self.durable:
                settings.write("fsync = off\n")

    def _run(self, name: str, *arguments: object) -> None:
        run(
            find(name, "PostgreSQL", "postgresql"),
            *arguments,
            user=unprivileged("postgres"),
            cwd=self.folder,
        )


#: TEST_DATABASE to the server that it needs.
SERVERS: dict[str, type[Server]] = {
    "mongodb": Mongo,
    "postgres": Postgres,
    "djongo": Djongo,
    "documentdb": DocumentDB,
}


def find(name: str, product: str, package: str) -> str:
    """A server's program, on PATH or where Debian keeps PostgreSQL's."""
    places = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: path.parent.name.zfill(4),
        reverse=True,
    )
    # Debian's folder first: on PATH it has wrappers for the cluster of the machine.
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise SystemExit(
            f"These tests need {product}'s server programs ({name}): on Debian, install {package}."
        )
    return found


def unprivileged(preferred: str) -> str | None:
    """Whom a server runs as: None is ourselves; in place of root, a harmless user."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(preferred).pw_name
    except KeyError:
        return "nobody"


def own_by(user: str | None, folder: Path) -> None:
    if user is not None:
        shutil.chown(folder, user)


def run(*command: object, user: str | None, cwd: Path) -> None:
    options: dict[str, Any] = (
        {}
        if user is None
        else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    )
    # Not into a pipe: the server that pg_ctl leaves behind would keep it open.
    with (cwd / "output").open("ab+") as output:
        done = subprocess.run(
            list(map(str, command)), cwd=cwd, stdout=output, stderr=output, check=False, **options
        )
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{command[0]} failed:\n{output.read().decode(errors='replace')}")
