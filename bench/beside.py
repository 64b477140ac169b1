"""Runs what is measured of other queues, by a Python that has them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench import processes
from bench.databases import Database
from bench.peers.catalogue import Peer, measurable
from bench.redis import Redis


class Beside:
    """The peers that can be measured with `python`; none if that is None."""

    def __init__(self, python: Path | None, broker: str, peers: list[Peer], missing: list[str]):
        self._python = str(python)
        self._broker = broker
        self._peers = peers
        #: Why each of the others can't be, in a sentence.
        self.missing = missing

    def on(self, database: str) -> list[Peer]:
        """Those that use that database."""
        return [peer for peer in self._peers if database in peer.databases]

    def measure(self, database: Database, peer: Peer, what: str, **options: Any) -> dict[str, Any]:
        """Calls `bench.peers.measures.<what>` in a new process; returns its figures."""
        module = "bench.peers.measures"
        return database.measure_by(self._python, module, what, self._environment(peer), options)

    def working(
        self, database: Database, peer: Peer, *arguments: str
    ) -> AbstractContextManager[int]:
        """Runs a worker of the peer during the block."""
        command = ("-m", *peer.worker, *arguments)
        return processes.running(database, *command, python=self._python, **self._environment(peer))

    def _environment(self, peer: Peer) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "bench.peers.settings",
            "BENCH_PEER": peer.module,
            "BENCH_BROKER": self._broker,
        }


@contextmanager
def measured_beside(python: Path | None) -> Iterator[Beside]:
    """The peers that can be measured here; if one needs Redis, it runs meanwhile."""
    peers, missing = measurable(python) if python else ([], ["No peer was asked for"])
    with ExitStack() as stack:
        broker = ""
        if any(peer.name == "celery" for peer in peers):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="delayed-jobs-redis-"))
            broker = stack.enter_context(Redis(Path(folder))).url
        yield Beside(python, broker, peers, missing)
