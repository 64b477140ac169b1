"""`make bench`: measures, keeps the raw figures, and writes docs/benchmarks.md and its plot.

    python -m bench [--quick] [--only drain,slots] [--databases sqlite,postgres,mongodb] [--peer PYTHON] [--into FOLDER]

Without --into, the figures of this machine are shown and kept in var/bench/, and the documentation is left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import report
from bench.databases import NAMES, serving
from bench.suites import Suites
from tests.servers import ROOT

SUITES = ("drain", "enqueue", "depth", "pick_up", "idle", "start_up", "slots")
PACKAGES = ("django", "django-mongodb-backend", "pymongo", "psycopg", "SecantusDB", "boto3", "moto")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="little of everything: to see that it works, not for figures",
    )
    parser.add_argument(
        "--only", default=",".join(SUITES), metavar="SUITES", help=f"of {', '.join(SUITES)}"
    )
    parser.add_argument("--databases", default=",".join(NAMES), help="default: all")
    parser.add_argument(
        "--peer", type=Path, help="a Python that has django-tasks-db, to compare with"
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FOLDER",
        help="write benchmarks.md, .json and .svg there, beside what is there",
    )
    options = parser.parse_args()
    into = options.into or ROOT / "var" / "bench"
    into.mkdir(parents=True, exist_ok=True)
    wanted, names = _chosen(parser, options.only, SUITES), _chosen(parser, options.databases, NAMES)
    # What isn't measured now stays as it was.
    kept = [
        one
        for one in _previous(into)
        if one["suite"] not in _with_parts(wanted) or one["database"] not in names
    ]
    found = {"machine": _machine(), "records": kept}
    for name in names:
        with serving(name) as databases:

            def record(
                suite: str, database: str, subject: str, figures: dict[str, Any], **of: Any
            ) -> None:
                found["records"].append(
                    {
                        "suite": suite,
                        "database": database,
                        "subject": subject,
                        **of,
                        "figures": figures,
                    }
                )
                print(suite, database, subject, of or "", _brief(figures), flush=True)

            suites = Suites(databases, options.peer, options.quick, record)
            for suite in wanted:
                getattr(suites, suite)()
                (into / "benchmarks.json").write_text(json.dumps(found, indent=1))
    report.write(found, into)
    print(f"Written: {into / 'benchmarks.md'}")


def _with_parts(suites: list[str]) -> list[str]:
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
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in _lines("/proc/cpuinfo")
            if line.startswith("model name")
        ),
        "",
    )
    memory = next(
        (
            int(line.split()[1]) // 2**20
            for line in _lines("/proc/meminfo")
            if line.startswith("MemTotal")
        ),
        0,
    )
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": cpu or platform.machine(),
        "processors": os.cpu_count(),
        "memory_gib": memory,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _brief(figures: dict[str, Any]) -> str:
    return " ".join(
        f"{name}={value:.4g}" if isinstance(value, (int, float)) else f"{name}={str(value)[:60]}"
        for name, value in figures.items()
    )


if __name__ == "__main__":
    sys.exit(main())
