"""`make dev`: database, local AWS Batch, web server on :8000 and worker, until Ctrl-C."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.stack import ROOT, Stack, StackError

WEB_PORT = int(os.environ.get("PORT", "8000"))


def main() -> None:
    environment = {"JOBS_SLEEP_DELAY": "1", "BATCHEXEC_POLL_INTERVAL": "1"}
    with Stack(
        ROOT / "var" / "dev",
        {name: os.environ.get(name, value) for name, value in environment.items()},
    ) as stack:
        stack.start_database("delayed_jobs", 27117)
        stack.start_batch(5005)
        print(stack.run("migrate", "--verbosity", "0"), end="")
        stack.start("web", "runserver", "--noreload", str(WEB_PORT), log=False)
        stack.wait_for_page("web", WEB_PORT, "/readyz")
        stack.start("worker", "jobworker", "--batch", "--concurrency", "4", log=False)
        settings = (
            "DATABASE_URL",
            "AWS_ENDPOINT_URL_BATCH",
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        )
        print(f"""
Everything is up: http://localhost:{WEB_PORT}/docs · http://localhost:{WEB_PORT}/admin/ · Ctrl-C ends it all.
For manage.py in another terminal (an admin's account: manage.py createsuperuser):
""")
        for name in settings:
            if name in stack.environment:
                print(f"    export {name}={stack.environment[name]}")
        print()
        while True:
            stack.check()
            time.sleep(0.5)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nEnded.")
    except StackError as error:
        sys.exit(str(error))
