"""The rooms and the one direction of their imports, as pyproject.toml has them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="the release that is pinned takes Python 3.11")

ROOT = Path(__file__).resolve().parent.parent.parent
CONTRACTS = ROOT / "pyproject.toml"


def lint(config: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
    ]
    return subprocess.run(
        [*command, "--config", str(config), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_point_one_way_without_a_circle():
    done = lint(CONTRACTS)
    assert done.returncode == 0, done.stdout
    assert "4 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("rule", "turned"),
    [
        (
            '"enqueueing | process",\n    "terms",',
            '"terms",\n    "enqueueing | process",',
        ),
        ('["posts : comments", "batchexec", "jobs"]', '["posts : comments", "jobs", "batchexec"]'),
    ],
)
def test_an_import_against_the_direction_is_found(tmp_path, rule, turned):
    text = CONTRACTS.read_text()
    assert rule in text
    broken = tmp_path / "pyproject.toml"
    broken.write_text(text.replace(rule, turned))
    done = lint(broken)
    assert done.returncode != 0
    assert "is not allowed to import" in done.stdout
