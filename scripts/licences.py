"""Writes docs/licences.md: the licence of every package that requirements*.txt name.

    python scripts/licences.py --python .venv-djongo/bin/python

It reads what is installed beside the Python that runs it, and beside each `--python`.
The exit status is 1, and nothing is written, if a package has no known licence.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
#: A file of requirements, to what its packages are for. The first that has a package
#: counts, and only the first two are in the image.
FILES = {
    "requirements.txt": "the application",
    "requirements-postgres.txt": "PostgreSQL",
    "requirements-local.txt": "development",
    "requirements-dev.txt": "tests",
    "requirements-djongo.txt": "djongo",
    "bench/requirements-peer.txt": "benchmarks",
}
IN_THE_IMAGE = ("the application", "PostgreSQL")
#: Packages of other systems and Pythons than the one that this page is made on, and
#: those whose metadata say nothing.
ELSEWHERE = {
    "async-timeout": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "django-ox": "BSD-3-Clause",
    "exceptiongroup": "MIT",
    "huey": "MIT",
    "importlib-metadata": "Apache-2.0",
    "pywin32": "PSF-2.0",
    "tomli": "MIT",
    "tzdata": "Apache-2.0",
    "zipp": "MIT",
}
#: What their metadata leave out: djongo's source is under the AGPL, and the script that
#: axe-core-python brings under the MPL.
STRICTER = {"axe-core-python": "MIT AND MPL-2.0", "djongo": "AGPL-3.0-only"}
#: What the names in older packages' metadata mean.
SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
    "pytest-django is released under the BSD (3-clause) license": "BSD-3-Clause",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
READ = """
import importlib.metadata, json
print(json.dumps([
    [found.metadata["Name"], found.metadata["License-Expression"], found.metadata["License"],
     found.metadata.get_all("Classifier") or []]
    for found in importlib.metadata.distributions()
]))
"""
BEGINNING = """\
# Licences

This project is under the [BSD 3-Clause licence](../LICENSE). It uses the packages
below, each under a licence of its own. `make licences` writes this page from the
packages' metadata.

Three kinds ask for more than naming them:

- **SecantusDB** is under the GPL 2. It is the database server of `manage.py localmongo`:
  a process of its own, for development, that the production image doesn't contain. If
  you distribute an image with it (`docker build --target local`), the GPL applies to
  SecantusDB in it.
- **psycopg** is under the LGPL 3. The production image contains it, unchanged and as
  separate files that you may replace.
- **djongo** is under the AGPL 3. It is only in
  [djongo's environment](djongo.md), never in the image.

| package | licence | for | in the image |
|---|---|---|---|
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(file: Path) -> set[str]:
    """The packages that a compiled file of requirements pins."""
    return {normal(name) for name in re.findall(r"^([\w.-]+)(?:\[.*\])?==", file.read_text(), re.M)}


def licences(python: str) -> dict[str, str]:
    """The licences of what is installed beside that Python."""
    command = [python, "-c", READ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {normal(name): licence(*rest) for name, *rest in json.loads(done.stdout)}


def licence(expression: str | None, text: str | None, classifiers: list[str]) -> str:
    """A licence as an SPDX expression, or as near to it as the metadata come."""
    if expression:
        return expression
    kinds = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    kinds = [kind for kind in kinds if kind != "OSI Approved"]
    first = (text or "").strip().splitlines()[:1]
    # A classifier says BSD where the text says which one.
    if first and len(first[0]) < 60 and (not kinds or "-" in first[0]):
        kinds = first
    return " OR ".join(SPDX.get(kind, kind) for kind in kinds)


def page(found: dict[str, str]) -> str:
    """The page. Raises ValueError if the licence of a package isn't known."""
    rows: dict[str, str] = {}
    for file, purpose in FILES.items():
        for name in sorted(named(ROOT / file) - rows.keys()):
            known = STRICTER.get(name) or found.get(name) or ELSEWHERE.get(name)
            if not known:
                raise ValueError(f"The licence of {name} in {file} isn't known: install it.")
            image = "yes" if purpose in IN_THE_IMAGE else ""
            rows[name] = f"| {name} | {known} | {purpose} | {image} |".replace("|  |", "| |")
    return BEGINNING + "".join(f"{rows[name]}\n" for name in sorted(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", action="append", default=[], help="another environment's")
    found: dict[str, str] = {}
    for python in [*parser.parse_args().python, sys.executable]:
        found |= licences(python)
    try:
        PAGE.write_text(page(found))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
