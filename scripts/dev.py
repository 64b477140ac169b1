"""`make dev`: the whole system on your machine, until Ctrl-C.

A database, a local AWS Batch, the web server on port 8000 (or $PORT), and a worker.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.stack import ROOT, Stack, StackError

#: Quicker than production, unless your environment says otherwise.
QUICK = {"JOBS_SLEEP_DELAY": "1", "BATCHEXEC_POLL_INTERVAL": "1"}
SHOWN = (
    "DATABASE_URL",
    "AWS_ENDPOINT_URL_BATCH",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)
WEB_PORT = int(os.environ.get("PORT", "8000"))


def main() -> None:
    environment = {name: os.environ.get(name, value) for name, value in QUICK.items()}
    with Stack(ROOT / "var" / "dev", environment) as stack:
        stack.start_database("delayed_jobs", 27117)
        stack.start_batch(5005)
        print(stack.run("migrate", "--verbosity", "0"), end="")
        stack.start("web", "runserver", "--noreload", str(WEB_PORT), log=False)
        stack.wait_for_page("web", WEB_PORT, "/readyz")
        stack.start("worker", "jobworker", "--batch", "--concurrency", "4", log=False)
        welcome(stack)
        while True:
            stack.check()
            time.sleep(0.5)


def welcome(stack: Stack) -> None:
    """Says where everything is, and what manage.py needs to reach it."""
    site = f"http://localhost:{WEB_PORT}"
    print(f"\nEverything is up: {site}/docs and {site}/admin/. Ctrl-C ends it all.")
    print("To use manage.py in another terminal (createsuperuser makes an admin's account):\n")
    for name in SHOWN:
        # What you have set, you know, and a password need not be on the screen.
        if name in stack.environment and name not in os.environ:
            print(f"    export {name}={stack.environment[name]}")
    print()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nEnded.")
    except StackError as error:
        sys.exit(str(error))
