"""The examples of docs/migrating run as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT, environment

GUIDES = ROOT / "docs" / "migrating"
SETTINGS = """
from project.settings import *
INSTALLED_APPS = [*INSTALLED_APPS, {apps}]
TASKS = {{"default": {{"BACKEND": "jobs.tasks.JobsBackend", "QUEUES": []}}}}
"""


def test_the_examples_of_the_guides_run(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for guide in GUIDES.glob("*.md"):
        text = guide.read_text()
        found = re.findall(r"```python\n# (\w+/\w+\.py)\n(.*?)```", text, re.DOTALL)
        assert len(found) == text.count("```python") == 2, guide
        files.update(found)
        for mapping in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
            files[f"{found[0][0].partition('/')[0]}/mapping.json"] = mapping
    apps = sorted({name.partition("/")[0] for name in files})
    assert len(apps) == 4
    for app in apps:
        (tmp_path / app).mkdir()
        (tmp_path / app / "__init__.py").touch()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "guides.py").write_text(SETTINGS.format(apps=", ".join(map(repr, apps))))
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "test", *apps, "--verbosity", "1"],
        cwd=tmp_path,
        env=environment(
            DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3",
            DJANGO_SETTINGS_MODULE="guides",
            PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]),
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 5 tests" in done.stderr
