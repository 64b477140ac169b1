"""The templates of `infra/`, as they are written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

from batchexec.deploying import templates
from batchexec.deploying.values import FOUND, TAKEN, options
from batchexec.sizes import FARGATE_SIZES
from tests.processes import ROOT

ALL = (*templates.STACKS, templates.REGISTRY)
each = pytest.mark.parametrize("name", ALL)
#: CloudFormation takes no more of a template that isn't uploaded first.
LONGEST_BODY = 51_200


def resources(name: str) -> dict[str, Any]:
    return dict(templates.parsed(templates.text(name))["Resources"])


def statements(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of the policies of its roles: the role, and each statement."""
    for role, resource in resources(name).items():
        for policy in resource.get("Properties", {}).get("Policies", ()):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield role, statement.get("Fn::If", [None, statement])[1]


def test_the_templates_are_those_of_the_commands() -> None:
    assert {path.stem for path in (ROOT / "infra").iterdir()} == set(ALL)


def test_cloudformations_own_schemas_find_no_fault() -> None:
    files = [str(path) for path in sorted((ROOT / "infra").glob("*.yaml"))]
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--regions", "us-east-1"]
    done = subprocess.run([*command, "--", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@each
def test_cloudformation_takes_it_as_it_is(name: str) -> None:
    body = templates.text(name)
    assert len(body.encode()) < LONGEST_BODY
    # CloudFormation refuses YAML's aliases.
    assert not [token for token in yaml.scan(body) if isinstance(token, yaml.AliasToken)]
    assert "arn:aws:" not in body, "the partition isn't always aws"


@each
def test_every_parameter_is_described_constrained_and_the_same_everywhere(name: str) -> None:
    for key, parameter in templates.parameters(name).items():
        assert len(parameter.description) > 10
        if key in FOUND:
            continue
        bound = parameter.pattern or parameter.allowed or parameter.is_number
        assert bound or (name, key) == ("roles", "Machines"), key
        if parameter.default is not None:
            assert parameter.problem(parameter.default) == ""
        for other in ALL:
            same = templates.parameters(other).get(key)
            if same and key != "Machines":
                assert (same.default, same.pattern, same.allowed) == (
                    parameter.default,
                    parameter.pattern,
                    parameter.allowed,
                ), f"{key} in {name} and {other}"


def test_every_option_is_on_its_page_with_its_default() -> None:
    page = (ROOT / "docs" / "deploy-options.md").read_text()
    rows = re.findall(r"^\| `(--[\w-]+)` \| (.+?)(?:: [^|]+)? \| (?:`(.+)`)? \|$", page, re.M)
    assert {option for option, _, _ in rows} == {one.option for one in options().values()}
    shown = {option: (text.replace("`", ""), default) for option, text, default in rows}
    for one in options().values():
        text, default = shown[one.option]
        assert one.description.startswith(text), one.option
        assert default == (one.default or ""), one.option


def test_only_what_cannot_be_guessed_has_no_default() -> None:
    without = {
        key
        for stack in templates.STACKS
        for key, parameter in templates.parameters(stack).items()
        if parameter.default is None
    }
    # The network and the secrets are made if none are given.
    assert without - FOUND == {"Image", "VpcId", "Subnets", "DatabaseSecret", "SecretKeySecret"}


def test_variables_of_the_user_are_in_every_container() -> None:
    added = {"A": "quoted \"\\1\" 'x' # no comment", "B": "{{é}}"}
    for stack in ("base", "batch", "service", "alarms"):
        body = templates.parsed(templates.text(stack, added))
        lists = list(environments(body))
        assert lists
        for found in lists:
            told = {one["Name"]: one["Value"] for one in found if "Name" in one}
            assert {key: told.get(key) for key in added} == added


def test_what_the_templates_set_cannot_be_set_by_the_user() -> None:
    names = set()
    for stack in templates.STACKS:
        names |= set(re.findall(r"\{Name: ([A-Z][A-Z_]+), Value", templates.text(stack)))
    assert "DATABASE_URL" in names
    assert names <= set(TAKEN)


def environments(value: Any) -> Iterator[list[dict[str, Any]]]:
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        if key == "Environment" and isinstance(one, list):
            yield one
        elif isinstance(one, (dict, list)):
            yield from environments(one)


def test_every_container_has_a_size_that_fargate_has() -> None:
    found = 0
    for stack in ("base", "service", "alarms"):
        defaults = {key: one.default for key, one in templates.parameters(stack).items()}
        for task in resources(stack).values():
            if task["Type"] == "AWS::ECS::TaskDefinition":
                cpu, memory = (size(task["Properties"][key], defaults) for key in ("Cpu", "Memory"))
                assert memory in FARGATE_SIZES[cpu / 1024]
                found += 1
    assert found == 4
    job = {key: one.default for key, one in templates.parameters("batch").items()}
    assert int(str(job["JobMemory"])) in FARGATE_SIZES[float(str(job["JobVcpu"]))]


def test_the_sizes_are_those_of_awss_own_model() -> None:
    model = botocore.session.get_session().get_service_model("batch")
    said = model.shape_for("ResourceRequirement").members["value"].documentation
    pairs = set()
    for memory, vcpu in re.findall(
        r"<dt>value = ([^<]+)</dt> <dd> <p> <code>VCPU</code> = ([^<]+)</p>", said
    ):
        pairs |= {
            (float(cpu), int(size))
            for size in re.findall(r"\d+", memory)
            for cpu in re.findall(r"[\d.]+", vcpu)
        }
    assert pairs == {(cpu, size) for cpu, sizes in FARGATE_SIZES.items() for size in sizes}


def size(given: Any, defaults: dict[str, str | None]) -> int:
    if isinstance(given, dict):
        given = defaults[given["Fn::Sub"].strip("${}")]
    return int(given)


def test_nobody_may_more_than_the_environments_own_unless_aws_knows_no_resource() -> None:
    anywhere = {
        (role, str(statement.get("Sid")))
        for role, statement in statements("roles")
        if statement["Resource"] == "*"
    }
    assert anywhere == {
        ("ExecutionRole", "LogInToRegistry"),
        ("WorkerRole", "Look"),
        ("WebRole", "FindTheLog"),
        ("DeploymentRole", "Look"),
        ("DeploymentRole", "ChangeCapacity"),  # where the tag is its own
    }
    for _, statement in statements("roles"):
        actions = statement["Action"]
        assert "*" not in json.dumps(actions)
        if "iam:PassRole" in actions:
            assert "*" not in json.dumps(statement["Resource"])
            assert statement["Condition"]["StringEquals"]["iam:PassedToService"]
        if "ecs:RunTask" in actions:
            assert statement["Condition"]["ArnEquals"]["ecs:cluster"]["Fn::Sub"].endswith(
                "/${Name}"
            )
    for role, resource in resources("roles").items():
        if resource["Type"] == "AWS::IAM::Role":
            trust = json.dumps(resource["Properties"]["AssumeRolePolicyDocument"])
            assert '"*"' not in trust, role


def test_the_worker_tags_nothing_but_jobs() -> None:
    (tagging,) = (
        statement
        for role, statement in statements("roles")
        if role == "WorkerRole" and "batch:TagResource" in statement["Action"]
    )
    assert tagging["Action"] == "batch:TagResource"
    assert tagging["Resource"]["Fn::Sub"].endswith(":job/*")


def test_data_survives_the_stacks() -> None:
    images = resources(templates.REGISTRY)["Images"]
    assert images["DeletionPolicy"] == "RetainExceptOnCreate"
    assert images["UpdateReplacePolicy"] == "Retain"
    assert images["Properties"]["ImageTagMutability"] == "IMMUTABLE"
    assert not [
        resource["Type"]
        for stack in templates.STACKS
        for resource in resources(stack).values()
        if resource["Type"].startswith(("AWS::RDS", "AWS::DocDB", "AWS::SecretsManager"))
    ]


def test_alarms_count_lines_that_are_written_and_say_what_to_do() -> None:
    sources = [*(ROOT / "jobs").rglob("*.py"), *(ROOT / "batchexec").rglob("*.py")]
    written = "\n".join(path.read_text() for path in sources)
    metrics = set()
    for resource in resources("alarms").values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Logs::MetricFilter":
            metrics.add(properties["MetricTransformations"][0]["MetricName"])
            for phrase in re.findall('"([^"]+)"', properties["FilterPattern"]):
                # A line's beginning is filled in.
                part = phrase.removeprefix("RUNNABLE ").removeprefix("AWS Batch ")
                part = re.sub(r"^(waited|reserved|detached) for more", "for more", part)
                assert part in written, phrase
    alarms = [one for one in resources("alarms").values() if one["Type"].endswith("::Alarm")]
    assert len(alarms) == 7
    for alarm in alarms:
        properties = alarm["Properties"]
        assert properties["MetricName"] in {*metrics, "CPUUtilization"}
        assert len(json.dumps(properties["AlarmDescription"])) > 100
        assert properties["AlarmActions"]


def test_tasks_log_into_groups_that_are_made_before() -> None:
    made = {
        json.dumps(one["Properties"]["LogGroupName"])
        for stack in ("base", "alarms")
        for one in resources(stack).values()
        if one["Type"] == "AWS::Logs::LogGroup"
    }
    used = set()
    for stack in ("base", "batch", "service", "alarms"):
        text = templates.text(stack)
        used |= set(re.findall(r"awslogs-group: !Sub (\".*\")", text))
        used |= set(re.findall(r"LogGroupName: !Sub (\".*\")", text))
    assert {json.dumps({"Fn::Sub": group.strip('"')}) for group in used} <= made
