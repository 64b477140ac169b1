"""The web server's log, access log included, is JSON if the application's is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request

from tests.processes import ROOT, wait_for
from tests.servers import free_port, wait_for_port


def test_every_line_of_the_web_server_is_one_object_and_none_comes_twice(tmp_path):
    port, log = free_port(), tmp_path / "log"
    variables = {
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "DEBUG": "true",
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "LOG_FORMAT": "json",
    }
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "project.wsgi"],
            cwd=ROOT,
            env={**os.environ, **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for_port(port, given_up=lambda: server.poll() is not None, log=log)
        url = f"http://127.0.0.1:{port}/healthz?a=%0AFORGED"
        urllib.request.urlopen(url, timeout=120).close()
        wait_for(lambda: "healthz" in log.read_text(), what="the request is logged")
    finally:
        server.terminate()
        server.wait(120)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert len({json.dumps(record) for record in records}) == len(records)
    [access] = [record for record in records if record["logger"] == "gunicorn.access"]
    assert '"GET /healthz?a=%0AFORGED HTTP/1.1" 200' in access["message"]
    assert "Starting gunicorn" in records[0]["message"]
