"""Answers that aren't AWS's: one sentence from each sub-command of `batchexec`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.core.management.base import CommandError

from batchexec.local.app import Application
from tests.batchexec.deployments import LEFT_OUT, Account, call, deployed_account

pytestmark = LEFT_OUT

PAGE = b"<html><body>Sign in to the guest network</body></html>"
ANSWERS = {
    "a page": (200, "text/html", PAGE),
    "a page as an error": (502, "text/html", PAGE),
    "JSON as an error": (400, "application/json", b'{"__type": "ClientException"}'),
    "an empty object": (200, "application/json", b"{}"),
    "a list": (200, "application/json", b"[1]"),
    "nothing": (200, "text/plain", b""),
    "bytes": (200, "application/octet-stream", b"\x00\xff\x1b[2J"),
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with deployed_account(tmp_path_factory.mktemp("account")) as made:
        yield made


#: All of an account, all but who we are, and those that speak JSON.
GARBLED = {
    "sts": lambda service: service == "sts",
    "others": lambda service: service != "sts",
    "json": lambda service: service not in ("sts", "iam", "ec2", "cloudformation"),
}


@pytest.mark.parametrize("which", GARBLED.values(), ids=GARBLED.keys())
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_that_is_not_awss_is_one_sentence(
    deployed: Account, monkeypatch: pytest.MonkeyPatch, answer: Any, which: Any
) -> None:
    status, kind, content = answer
    original = Application._perform
    image = f"{deployed.number}.dkr.ecr.us-east-1.amazonaws.com/x@sha256:{'1' * 64}"
    met: list[str] = []

    def garbled(app: Any, environ: Any, body: bytes, region: str, service: str, name: str) -> Any:
        if not which(service):
            return original(app, environ, body, region, service, name)
        met.append(name)
        return status, [("Content-Type", kind)], content

    monkeypatch.setattr(Application, "_perform", garbled)
    monkeypatch.setattr(
        "batchexec.deploying.account.CONFIG", {"retries": {"total_max_attempts": 1}}
    )
    for arguments in (
        ["deploy", "--name", "shop", "--image", image, "--dry-run"],
        ["push", "--repository", "shop"],
        ["status", "--name", "shop"],
        ["destroy", "--name", "nothing", "--yes", "--images", "shop"],
    ):
        # What a lenient parser makes of it may also be "nothing is there".
        with suppress(CommandError, SystemExit):
            call(*arguments)
    assert met  # and no other error was raised
