"""The installation of DocumentDB: a Debian of its own in a folder, because only
Debian's newest has the package.

    python -m tests.documentdb.chroot

makes it, if it isn't there. It takes half a minute, 660 MB and root's rights.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PACKAGE = "postgresql-18-documentdb"
#: Debian's suite that has the package.
SUITE = "sid"
PROGRAMS = Path("/usr/lib/postgresql/18/bin")
#: Where a server sees the folder that it keeps its data in.
DATA = Path("/mnt")

#: Mounts are made in a namespace of the process's own, and so end with it. "$1": the
#: chroot, "$2": the folder of the data, then who executes what in it.
ENTER = """
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount --bind "$2" "$1/mnt"
root=$1 user=$3
shift 3
exec chroot --userspec="$user" "$root" "$@"
"""


class Unavailable(SystemExit):
    """The engine can't run here; the text says why and what to do."""


def folder() -> Path:
    """Where the chroot is kept: DOCUMENTDB_FOLDER, or var/documentdb."""
    return Path(os.environ.get("DOCUMENTDB_FOLDER") or ROOT / "var" / "documentdb")


def installed() -> Path:
    """The chroot, made where it is missing. Raises `Unavailable` where it can't be."""
    found = folder()
    if os.getuid() != 0:
        raise Unavailable(
            "DocumentDB runs in a chroot, which takes root: run this as root, e.g. in a container."
        )
    if not found.exists():
        with _alone(found):
            if not found.exists():
                _make(found)
    return found


def command(root: Path, data: Path, *arguments: object) -> list[str]:
    """What executes `arguments` in the chroot as the user postgres, with `data` as the
    folder of the data.
    """
    enter = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", ENTER, "sh"]
    return [*enter, str(root), str(data), ":".join(map(str, owner(root))), *map(str, arguments)]


def owner(root: Path) -> tuple[int, int]:
    """User and group of postgres in the chroot."""
    for line in (root / "etc/passwd").read_text().splitlines():
        name, _, user, group, *_ = line.split(":")
        if name == "postgres":
            return int(user), int(group)
    raise Unavailable(f"{root} has no user postgres: remove that folder, and it is made anew.")


def _make(found: Path) -> None:
    mirror = _mirror()
    part = found.with_name(f"{found.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    print(f"Installing {PACKAGE} of Debian's {SUITE} into {found}: a minute, 660 MB.", flush=True)
    # A mirror that isn't renewed any longer will do.
    settings = ("APT::Install-Recommends", "Acquire::Check-Valid-Until")
    options = [f'--aptopt={setting} "false"' for setting in settings]
    options += ["--variant=apt", f"--include={PACKAGE}"]
    log = found.with_name(f"{found.name}.log")
    with log.open("wb") as output:
        done = subprocess.run(
            ["mmdebstrap", *options, SUITE, str(part), mirror],
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode or not (part / PROGRAMS.relative_to("/") / "postgres").exists():
        end = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
        raise Unavailable(
            f"{PACKAGE} can't be installed from Debian's {SUITE}; {log} ends with:\n{end}"
        )
    part.rename(found)


def _mirror() -> str:
    """Where this machine's own packages come from."""
    for program, package in (
        ("apt-get", "apt"),
        ("mmdebstrap", "mmdebstrap"),
        ("unshare", "util-linux"),
    ):
        if shutil.which(program) is None:
            raise Unavailable(
                f"DocumentDB is installed with {program}, which is missing: on "
                f"Debian, install {package}."
            )
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian"]
    found = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()
    if not found:
        raise Unavailable(
            "DocumentDB is a package of Debian's, which this machine's apt "
            "sources don't name: use a Debian."
        )
    return found[0]


@contextmanager
def _alone(found: Path) -> Iterator[None]:
    """Nobody else makes the chroot meanwhile."""
    found.parent.mkdir(parents=True, exist_ok=True)
    with found.with_name(f"{found.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    print(installed())
