"""`make bench`: measures, keeps the raw figures, and writes a page and a plot of them.

    python -m bench --quick --only drain,slots --databases sqlite,postgres

They go to var/bench/. With `--into docs` they become the documentation's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import report
from bench.beside import measured_beside
from bench.databases import NAMES, TITLES, serving
from bench.suites import Suites
from jobs.folders import make_private
from tests.servers import ROOT

SUITES = (
    "drain",
    "enqueue",
    "workers",
    "herd",
    "pick_up",
    "on_batch",
    "start_up",
    "iterator",
    "depth",
    "idle",
    "slots",
    "following",
    "on_call",
)
PACKAGES = ("django", "django-mongodb-backend", "pymongo", "psycopg", "SecantusDB", "boto3", "moto")


def main() -> None:
    parser = _parser()
    options = parser.parse_args()
    into: Path = options.into
    make_private(into)
    suites = _chosen(parser, options.only, SUITES)
    names = _chosen(parser, options.databases, tuple(TITLES))
    # What isn't measured now stays as it was.
    records = [
        record
        for record in _previous(into)
        if record["suite"] not in _with_parts(suites) or record["database"] not in names
    ]
    found: dict[str, Any] = {"machine": _machine(), "records": records}
    took: dict[str, float] = {}

    def record(suite: str, database: str, subject: str, figures: dict[str, Any], **of: Any) -> None:
        key = {"suite": suite, "database": database, "subject": subject, **of}
        records.append({**key, "figures": figures})
        print(suite, database, subject, of or "", _brief(figures), flush=True)

    with measured_beside(options.peer) as beside:
        found["machine"]["missing"] = beside.missing
        for name in names:
            with serving(name) as databases:
                measured = Suites(databases, beside, options.quick, record)
                for suite in suites:
                    began = time.monotonic()
                    getattr(measured, suite)()
                    took[f"{suite} on {name}"] = time.monotonic() - began
                    (into / "benchmarks.json").write_text(json.dumps(found, indent=1))
    report.write(found, into)
    for title, seconds in took.items():
        print(f"{seconds:6.0f} s  {title}")
    print(f"{sum(took.values()):6.0f} s. Written: {into / 'benchmarks.md'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench")
    add = parser.add_argument
    add("--quick", action="store_true", help="a little of everything, to see that it works")
    add("--only", default=",".join(SUITES), metavar="SUITES", help=f"of {', '.join(SUITES)}")
    add("--databases", default=",".join(NAMES), help=f"of {', '.join(TITLES)}")
    add("--peer", type=Path, help="a Python that has the peers, to compare with")
    add(
        "--into",
        type=Path,
        metavar="FOLDER",
        default=ROOT / "var" / "bench",
        help="where benchmarks.md, .json and .svg are written, and read before; default: var/bench",
    )
    return parser


def _with_parts(suites: list[str]) -> list[str]:
    """The names that records of these suites have: `depth` records `others`, too."""
    return [*suites, "others"] if "depth" in suites else suites


def _previous(into: Path) -> list[dict[str, Any]]:
    path = into / "benchmarks.json"
    return list(json.loads(path.read_text())["records"]) if path.exists() else []


def _chosen(parser: argparse.ArgumentParser, text: str, known: tuple[str, ...]) -> list[str]:
    chosen = [part.strip() for part in text.split(",") if part.strip()]
    if unknown := set(chosen) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(known)}.")
    return chosen


def _machine() -> dict[str, Any]:
    memory = _first("/proc/meminfo", "MemTotal")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _first("/proc/cpuinfo", "model name") or platform.machine(),
        "processors": os.cpu_count(),
        "memory_gib": int(memory.split()[0]) // 2**20 if memory else 0,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _first(path: str, name: str) -> str:
    """The first value of `name` in a file of Linux's about the machine, or ""."""
    lines = Path(path).read_text().splitlines() if Path(path).exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _brief(figures: dict[str, Any]) -> str:
    def brief(value: Any) -> str:
        return f"{value:.4g}" if isinstance(value, (int, float)) else str(value)[:60]

    return " ".join(f"{name}={brief(value)}" for name, value in figures.items())


if __name__ == "__main__":
    main()
