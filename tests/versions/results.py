"""The results of the version lanes, kept in docs/versions.json: one a lane, the last
one counts.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import platform
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "versions.json"

#: Which distribution connects Django with each of the tests' databases.
DRIVERS = {
    "sqlite": "",
    "postgres": "psycopg",
    "mongodb": "django-mongodb-backend",
    "documentdb": "django-mongodb-backend",
    "djongo": "djongo",
}

Result = dict[str, Any]


def of_this_environment(report: Path, database: str) -> Result:
    """The result in pytest's JUnit report, run by this interpreter with what is
    installed for it.
    """
    suites = ET.parse(report).getroot().iter("testsuite")
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for suite in suites:
        for name in counts:
            counts[name] += int(suite.get(name, 0))
    failed = counts["failures"] + counts["errors"]
    driver = DRIVERS[database]
    return {
        "python": platform.python_version(),
        "django": importlib.metadata.version("django"),
        "database": database,
        "driver": f"{driver} {importlib.metadata.version(driver)}" if driver else "",
        "passed": counts["tests"] - failed - counts["skipped"],
        "failed": failed,
        "skipped": counts["skipped"],
        "on": dt.date.today().isoformat(),
    }


def load() -> list[Result]:
    return json.loads(FILE.read_text()) if FILE.exists() else []


def lane(result: Result) -> tuple[Any, ...]:
    """Two results of one lane differ in patch releases at most."""
    return (result["database"], line_of(result["django"]), line_of(result["python"]))


def line_of(version: str) -> tuple[int, ...]:
    """`6.1.3` is of the line (6, 1)."""
    return tuple(int(part) for part in version.split(".")[:2])


def record(result: Result) -> None:
    """Replaces what the lane's last run left."""
    others = [kept for kept in load() if lane(kept) != lane(result)]
    found = sorted([*others, result], key=lane)
    FILE.write_text(json.dumps(found, indent=1) + "\n")
