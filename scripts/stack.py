"""Starts the processes of a development machine together, and leaves none behind."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from jobs.folders import make_private

ROOT = Path(__file__).resolve().parent.parent
MANAGE = str(ROOT / "manage.py")

#: Signals that end the block of a Stack.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds from SIGTERM to SIGKILL when a process is ended: on a busy machine, the local
#: AWS Batch needs some of them to end its containers.
GRACE = 30.0
#: Seconds in which a process must answer after its start.
PATIENCE = 120.0

#: What boto3 needs to talk to the local AWS Batch, which accepts any key.
LOCAL_AWS = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}


class StackError(Exception):
    """A process of the stack didn't start, or has ended. The text names its log."""


def free_port() -> int:
    """A free port below those of outgoing connections, which could take it first."""
    while True:
        port = 15_000 + secrets.randbelow(15_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def _interrupted_later() -> Iterator[None]:
    """Signals that end the block of a Stack wait until the body is done."""
    arrived: list[int] = []

    def note(signum: int, frame: object) -> None:
        arrived.append(signum)

    handlers = {signum: signal.signal(signum, note) for signum in ENDING}
    try:
        yield
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
    for number in arrived:
        signal.raise_signal(number)


class Stack:
    """Database, AWS Batch, web server and worker, each as a process.

    Use it as a context manager, which ends them all, whatever happens in the block. The
    logs go to `folder`; `environment` is added to this process's own.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]):
        self.folder = folder
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[Any]] = []
        make_private(folder)

    def __enter__(self) -> Stack:
        # A signal ends the block by an exception, so that everything open is closed.
        for signum in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, _interrupt)
        return self

    def __exit__(self, *details: object) -> None:
        # A second Ctrl-C must not leave anything behind.
        for signum in ENDING:
            signal.signal(signum, signal.SIG_IGN)
        for name in reversed(list(self._processes)):
            self.end(name)
        for log in self._logs:
            log.close()

    def start(
        self, name: str, *arguments: str, log: bool = True, **environment: str
    ) -> subprocess.Popen[bytes]:
        """Starts `manage.py <arguments>` in a session of its own.

        Ctrl-C then reaches it only through us.
        """
        output: IO[Any] | None = None
        if log:
            output = (self.folder / f"{name}.log").open("ab")
            self._logs.append(output)
        with _interrupted_later():
            # Else a process could be started, and not be known when all are ended.
            process = subprocess.Popen(
                [sys.executable, MANAGE, *arguments],
                cwd=ROOT,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output and subprocess.STDOUT,
                start_new_session=True,
            )
            self._processes[name] = process
        return process

    def run(self, *arguments: str) -> str:
        """Runs `manage.py <arguments>` to its end and returns its output.

        Raises StackError if it fails.
        """
        done = subprocess.run(
            [sys.executable, MANAGE, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StackError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def end(self, name: str, signum: int = signal.SIGTERM) -> None:
        """Ends the process by a signal, and everything it started."""
        process = self._processes.pop(name)
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            if process.poll() is None:
                os.killpg(process.pid, signum)
                process.wait(GRACE)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # Whatever of its group is left.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def check(self) -> None:
        """Raises StackError if a process has ended by itself."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                status = process.returncode
                raise StackError(f"{name} ended with status {status}: see {self._log_of(name)}.")

    def wait_for_port(self, name: str, port: int, seconds: float = PATIENCE) -> None:
        """Waits until the process listens. Raises StackError after `seconds`."""

        def connect() -> None:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()

        self._wait(name, connect, seconds)

    def wait_for_page(self, name: str, port: int, path: str, seconds: float = PATIENCE) -> None:
        """Waits until the page is a 200. Raises StackError after `seconds`."""

        def get() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", path)
            if connection.getresponse().status != 200:
                raise OSError("not ready")
            connection.close()

        self._wait(name, get, seconds)

    def _wait(self, name: str, attempt: Callable[[], None], seconds: float) -> None:
        """Calls `attempt()` until it raises nothing."""
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            try:
                return attempt()
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    text = f"{name} didn't answer within {seconds:g} s: see {self._log_of(name)}."
                    raise StackError(text) from None
            time.sleep(0.05)

    def _log_of(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def start_database(self, name: str, port: int) -> None:
        """Starts an embedded MongoDB, unless DATABASE_URL names a database.

        If there is no wheel for it, SQLite takes its place.
        """
        if self.environment.get("DATABASE_URL"):
            return
        if importlib.util.find_spec("secantus"):
            data = str(self.folder / "mongo")
            self.start("database", "localmongo", "--port", str(port), "--data", data)
            url = f"mongodb://127.0.0.1:{port}/{name}?serverSelectionTimeoutMS=30000"
            self.environment["DATABASE_URL"] = url
            self.wait_for_port("database", port)
        else:
            self.environment["DATABASE_URL"] = f"sqlite:///{self.folder / 'db.sqlite3'}"

    def start_batch(self, port: int, *options: str) -> None:
        """Starts a local AWS Batch, unless AWS_ENDPOINT_URL_BATCH names one."""
        if self.environment.get("AWS_ENDPOINT_URL_BATCH"):
            return
        self.start("batch", "localbatch", "--create", "--port", str(port), *options)
        for name, value in LOCAL_AWS.items():
            self.environment.setdefault(name, value)
        self.environment["AWS_ENDPOINT_URL_BATCH"] = f"http://127.0.0.1:{port}"
        self.wait_for_port("batch", port)


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt
