"""Serves the gateway: `python -m tests.documentdb PORT DSN`, until it is ended."""

from __future__ import annotations

import sys

from tests.documentdb.gateway import Server

port, dsn = sys.argv[1:]
Server(int(port), dsn).serve_forever()
