"""The parts of `doctor` that a whole look at a deployment doesn't show."""

from __future__ import annotations

import datetime as dt
import http.server
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from batchexec.doctor import account, image, rights, roles, rounds
from batchexec.doctor.checks import look
from batchexec.doctor.deployment import Deployment
from batchexec.doctor.findings import FAULT, OK, WARNING, Check, Finding, fault, ok
from batchexec.doctor.rounds import examine, is_healthy
from batchexec.local.app import Application
from tests.processes import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


class TestRounds:
    def test_a_check_that_raises_or_hangs_costs_the_others_nothing(self, region, monkeypatch):
        hanging, let_go = threading.Event(), threading.Event()
        begun = iter([0.0])

        def now() -> float:
            """Time is up once only the one that hangs is left."""
            for instant in begun:
                return instant
            wait_for(lambda: hanging.is_set() and at_work() == {"doctor-two"})
            return math.inf

        def at_work() -> set[str]:
            names = {thread.name for thread in threading.enumerate()}
            return {name for name in names if name.startswith("doctor-")}

        monkeypatch.setattr(rounds, "time", SimpleNamespace(monotonic=now))

        def raises(deployment: Any) -> Iterator[Finding]:
            yield ok("before")
            raise SystemExit(3)

        def hangs(deployment: Any) -> Iterator[Finding]:
            yield ok("begun")
            hanging.set()
            let_go.wait(600)

        checks = [Check("one", raises), Check("two", hangs), Check("three", lambda _: [ok("x")])]
        try:
            found = examine(Deployment(), checks, lambda finding: None)
        finally:
            let_go.set()
        assert [(one.check, one.level) for one in found] == [
            ("one", OK),
            ("one", WARNING),
            ("two", OK),
            ("two", WARNING),
            ("three", OK),
        ]

    def test_only_a_fault_is_unhealthy(self):
        assert is_healthy([ok("x")])
        assert not is_healthy([ok("x"), fault("y", "z")])


def test_a_clock_that_is_off_is_a_fault_once_aws_refuses_it(patient, monkeypatch):
    class Late(dt.datetime):
        behind = dt.timedelta()

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return super().now(tz) - cls.behind

    monkeypatch.setattr(account.dt, "datetime", Late)
    for seconds, level in ((0, OK), (60, WARNING), (400, FAULT)):
        monkeypatch.setattr(Late, "behind", dt.timedelta(seconds=seconds))
        (found,) = account.clock(Deployment())
        assert found.level == level


@contextmanager
def serving(content: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b'{"architecture": "arm64"}', {"arm64"}), (b"[]", set()), (b"{}", set())],
)
def test_an_image_without_an_index_says_its_processor_in_its_configuration(content, said):
    with serving(content) as url:
        assert image.architecture_at(url) == said
    assert image.architecture_at("file:///etc/passwd") == set()


@pytest.mark.parametrize(
    ("statement", "trusted"),
    [
        ({"Effect": "Allow", "Principal": {"Service": "a"}, "Action": "sts:AssumeRole"}, True),
        ({"Effect": "Allow", "Principal": {"Service": ["b", "a"]}, "Action": ["sts:*"]}, True),
        ({"Effect": "Deny", "Principal": {"Service": "a"}, "Action": "sts:AssumeRole"}, False),
        ({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}, False),
        ({"Effect": "Allow", "Principal": {"AWS": "a"}, "Action": "sts:AssumeRole"}, False),
        ("garbage", False),
    ],
)
def test_a_trust_policy_is_read_as_iam_reads_it(statement, trusted):
    assert roles.trusts({"Statement": [statement]}, "a") is trusted
    assert roles.trusts({"Statement": statement}, "a") is trusted
    assert roles.trusts(statement, "a") is False


class Simulator:
    """IAM's, which moto lacks: allows everything but one action."""

    def __init__(self, denied: str = ""):
        self.denied = denied
        self.asked: dict[str, list[str]] = {}

    def simulate_principal_policy(self, **request: Any) -> Any:
        (action,) = request["ActionNames"]
        self.asked[action] = request["ResourceArns"]
        decision = "implicitDeny" if action == self.denied else "allowed"
        return {"EvaluationResults": [{"EvalDecision": decision} for _ in request["ResourceArns"]]}


@pytest.fixture
def simulating(monkeypatch: pytest.MonkeyPatch) -> Any:
    honest = Deployment.client

    def use(simulator: Simulator) -> Simulator:
        monkeypatch.setattr(
            Deployment,
            "client",
            lambda deployment, service: (
                simulator if service == "iam" else honest(deployment, service)
            ),
        )
        return simulator

    return use


@pytest.mark.parametrize(
    ("look", "denied"),
    [
        (rights.execution, "ecr:BatchGetImage"),
        (rights.execution, "secretsmanager:GetSecretValue"),
        (rights.execution, "logs:PutLogEvents"),
        (rights.worker, "batch:TerminateJob"),
    ],
)
def test_a_role_is_asked_about_on_just_what_the_deployment_names(patient, simulating, look, denied):
    (found,) = look(Deployment(patient.job))
    # moto has no simulator: of another role, nothing can be said.
    assert found.level == WARNING
    simulator = simulating(Simulator())
    assert [one.level for one in look(Deployment(patient.job))] == [OK]
    assert all(arn.startswith("arn:aws:") or arn == "*" for arn in simulator.asked[denied])
    simulating(Simulator(denied))
    (found,) = look(Deployment(patient.job))
    assert found.level == FAULT
    assert denied in found.text


def test_iam_is_asked_about_a_secret_by_the_arn_that_it_compares(patient, simulating):
    short = patient.key.rpartition("-")[0]
    patient.define(secrets=[{"name": "SECRET_KEY", "valueFrom": f"{short}:key::"}])
    simulator = simulating(Simulator())
    assert [one.level for one in rights.execution(Deployment())] == [OK]
    assert simulator.asked["secretsmanager:GetSecretValue"] == [patient.key]


@pytest.mark.parametrize("content", [b"<html><body>Sign in</body></html>", b"[1]"])
def test_answers_that_are_not_awss_are_said_and_end_no_check(patient, monkeypatch, content):
    met = []

    def garbled(app, environ, body, region, service, operation):
        met.append(service)
        return 200, [("Content-Type", "text/html")], content

    monkeypatch.setattr(Application, "_perform", garbled)
    found = look(Deployment(""), lambda finding: None)
    assert met
    assert any("the answer isn't one of AWS's" in one.text for one in found), found
