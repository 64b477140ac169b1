"""What a hostile page can't do, in a real browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from batchexec.local.server import LocalBatch
from tests.e2e.browsing import Browser

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = """<!DOCTYPE html><title>waiting</title><iframe name="hidden"></iframe>
<form target="hidden" method="post" enctype="text/plain" action="{url}/v1/submitjob">
<input name='{start}' value='"}}'></form>
<script>
const ask = (path, options) => fetch("{url}" + path, options).then(() => "sent", () => "blocked");
document.forms[0].submit();
Promise.all([
  ask("/v1/submitjob", {{method: "POST", mode: "no-cors", body: {body}}}),
  ask("/v1/submitjob", {{
    method: "POST", body: {body}, headers: {{Authorization: "AWS4-HMAC-SHA256 x"}}
  }}),
  ask("/_faults", {{method: "POST", mode: "no-cors", body: "[]"}}),
  ask("/_calls", {{method: "DELETE"}}),
  ask("/moto-api/data.json", {{}}),
]).then(answers => {{ document.title = answers.join(" "); }});
</script>"""


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[LocalBatch]:
    with LocalBatch(create=True, start_delay=0, folder=tmp_path / "batch") as batch:
        yield batch


@pytest.fixture
def hostile_page(batch: LocalBatch, tmp_path: Path) -> Iterator[str]:
    """The address of a page that tries to have `touch taken-over` run."""
    command = ["touch", str(tmp_path / "taken-over")]
    job = {"jobName": "page", "jobQueue": "delayed-jobs", "jobDefinition": "delayed-jobs"}
    body = json.dumps({**job, "containerOverrides": {"command": command}})
    # A form sends `name=value`: the `=` goes into a key that nobody reads.
    start = body[:-1] + ', "x": "'
    page = PAGE.format(url=batch.url, start=start, body=json.dumps(body)).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *args: object) -> None: ...

    # With threads, because a browser opens connections that it may never use.
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_page_cannot_have_localbatch_run_a_command(
    browser: Browser,
    batch: LocalBatch,
    hostile_page: str,
    tmp_path: Path,
):
    refused: list[str] = []
    guard = batch._application._guard
    decide = guard.refusal

    def note(environ: dict[str, str]) -> str | None:
        refusal = decide(environ)
        refused.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {refusal}")
        return refusal

    guard.refusal = note  # type: ignore[method-assign]
    browser.driver.get(hostile_page)
    browser.wait(lambda driver: driver.title != "waiting", "the page has tried everything")
    assert browser.driver.title.split().count("blocked") >= 3  # those that a page would read
    # The browser did send what it doesn't ask about first: the guard refused it.
    browser.wait(
        lambda driver: sum(text.startswith("POST /v1/submitjob") for text in refused) >= 2,
        "the form and the fetch",
    )
    assert all("A web page sent this request" in text for text in refused)
    assert batch.calls() == {"counts": {}, "refusals": {}, "submissions": []}
    assert not (tmp_path / "taken-over").exists()


def test_an_inline_script_does_not_run_on_our_pages(browser: Browser):
    for path in ("/docs", "/admin/login/"):
        browser.open(path)
        browser.driver.execute_script(
            "const image = document.createElement('div');"
            "image.innerHTML = '<img src=x onerror=\"document.title=`taken-over`\">';"
            "document.body.append(image);"
            "const script = document.createElement('script');"
            "script.textContent = 'document.title = `taken-over`';"
            "document.body.append(script);"
        )
        browser.wait(
            lambda driver: [
                entry
                for entry in driver.get_log("browser")
                if "Content Security Policy" in entry["message"]
            ],
            "the browser says that it refused the script",
        )
        assert browser.driver.title != "taken-over"
