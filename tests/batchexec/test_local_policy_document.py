"""What an IAM policy document says, and which ones localbatch can't use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from batchexec.local.iam.errors import PolicyError
from batchexec.local.iam.policy import Decision, Policy
from tests.batchexec.test_local_policy import allow, deny, document

HERE = "arn:aws:batch:us-east-1:123456789012"
QUEUE = f"{HERE}:job-queue/a"


def decide(*statements: dict[str, Any], action: str, resource: str, **context: Any) -> Decision:
    found = {key.replace("__", ":").lower(): value for key, value in context.items()}
    return Policy(document(*statements)).decide(action, resource, found)


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (allow("batch:SubmitJob", resource=QUEUE), True),
        (allow("BATCH:submitjob", resource=QUEUE), True),
        (allow("batch:Submit*", resource=QUEUE), True),
        (allow("batch:SubmitJo?", resource=QUEUE), True),
        (allow("*", resource=QUEUE), True),
        (allow("*:*", resource=QUEUE), True),
        (allow("batch:SubmitJo", resource=QUEUE), False),
        (allow("s3:*", resource=QUEUE), False),
        (allow("batch:SubmitJob", resource=f"{HERE}:job-queue/A"), False),
        (allow("batch:SubmitJob", resource=f"{HERE}:job-queue/*"), True),
        (allow("batch:SubmitJob", resource="arn:aws:batch:*:*:*"), True),
        (allow("batch:SubmitJob", resource="arn:*:batch:us-*:1234????9012:job-queue/a"), True),
        # A wildcard stays in its part of the ARN.
        (allow("batch:SubmitJob", resource="arn:aws:*:*:*:job-queue"), False),
        (allow("batch:SubmitJob", resource=[f"{HERE}:job-queue/b", QUEUE]), True),
        ({"Effect": "Allow", "NotAction": "batch:Describe*", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "batch:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": QUEUE}, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": f"{HERE}:job-queue/b"}, True),
    ],
)
def test_wildcards_and_their_negations(statement: dict[str, Any], allowed: bool) -> None:
    decision = decide(statement, action="batch:SubmitJob", resource=QUEUE)
    assert decision is (Decision.ALLOWED if allowed else Decision.IMPLICIT_DENY)


def test_a_deny_wins_wherever_it_stands() -> None:
    for statements in ([allow("*"), deny("batch:*")], [deny("batch:*"), allow("*")]):
        decision = decide(*statements, action="batch:SubmitJob", resource=QUEUE)
        assert decision is Decision.EXPLICIT_DENY


TAG = {"aws__RequestTag/Team": ("a",)}
KEYS = {"aws__TagKeys": ("team", "cost")}


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"aws:RequestTag/Team": "a"}}, TAG, True),
        ({"StringEquals": {"aws:requesttag/team": ["b", "a"]}}, TAG, True),
        ({"StringEquals": {"aws:RequestTag/Team": "A"}}, TAG, False),
        ({"StringEqualsIgnoreCase": {"aws:RequestTag/Team": "A"}}, TAG, True),
        ({"StringEquals": {"aws:RequestTag/Team": "a*"}}, TAG, False),
        ({"StringLike": {"aws:RequestTag/Team": "?*"}}, TAG, True),
        ({"StringNotEquals": {"aws:RequestTag/Team": ["a", "b"]}}, TAG, False),
        ({"StringNotLike": {"aws:RequestTag/Team": "b*"}}, TAG, True),
        # A key that the call doesn't have.
        ({"StringEquals": {"aws:RequestTag/Team": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"aws:RequestTag/Team": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"aws:RequestTag/Team": "b"}}, TAG, False),
        ({"StringNotEquals": {"aws:RequestTag/Team": "a"}}, {}, True),
        ({"Null": {"aws:RequestTag/Team": "true"}}, {}, True),
        ({"Null": {"aws:RequestTag/Team": False}}, {}, False),
        ({"Null": {"aws:RequestTag/Team": False}}, TAG, True),
        # Several values.
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost", "x"]}}, KEYS, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, KEYS, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}, KEYS, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["x"]}}, KEYS, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["x"]}}, {}, False),
        # All operators and keys must hold.
        ({"StringEquals": {"aws:RequestTag/Team": "a", "aws:RequestedRegion": "x"}}, TAG, False),
    ],
)
def test_conditions(condition: dict[str, Any], context: dict[str, Any], holds: bool) -> None:
    statement = allow("*", Condition=condition)
    decision = decide(statement, action="batch:SubmitJob", resource=QUEUE, **context)
    assert (decision is Decision.ALLOWED) == holds


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([], "A policy is a JSON object with a Statement."),
        ({"Version": "2012-10-17"}, "Statement must be an object or a list of objects."),
        ({**document(), "Statement": []}, "Statement must be an object or a list"),
        ({**document(allow("*")), "Statments": 1}, "unknown element 'Statments'"),
        ({**document(allow("*")), "Version": "2026-01-01"}, "not '2026-01-01'"),
        (document({**allow("*"), "Sid": "Mine", "Effect": "allow"}), "Statement Mine: Effect must"),
        (document(allow("*", Principal="*")), "has no principal"),
        (document({"Effect": "Allow", "Resource": "*"}), "either Action or NotAction"),
        (document(allow("*", NotAction="*")), "either Action or NotAction"),
        (document({"Effect": "Allow", "Action": "*"}), "either Resource or NotResource"),
        (document(allow("SubmitJob")), "Action 'SubmitJob' must be service:action, or *."),
        (document(allow("*", resource="job/*")), "Resource 'job/*' must be an ARN, or *."),
        (document(allow("*", resource=[])), "Resource must be a string or a list of strings."),
        (document(allow("*", resource=[1])), "Resource must be a string or a list of strings."),
        (document(allow("*", resource="arn:aws:batch:*:*:job/${aws:username}")), "variables"),
        (document(allow("*", Condition={"Bool": {"aws:SecureTransport": "true"}})), "'Bool'"),
        (document(allow("*", Condition={"StringEquals": {"aws:SourceIp": "x"}})), "aws:SourceIp"),
        (document(allow("*", Condition={"StringEquals": {"aws:TagKeys": "x"}})), "ForAnyValue"),
        (
            document(allow("*", Condition={"StringEquals": {"aws:RequestTag/": "x"}})),
            "the condition key",
        ),
        (
            document(allow("*", Condition={"StringEquals": {"aws:RequestTag/a": []}})),
            "list of strings",
        ),
        (
            document(allow("*", Condition={"StringEquals": {"aws:RequestTag/a": "${x}"}})),
            "variables",
        ),
        (document(allow("*", Condition={"Null": {"aws:RequestTag/a": "no"}})), "true or false"),
        (document(allow("*", Condition=[])), "Condition must be an object"),
        (document(allow("*", Condition={"StringEquals": []})), "must be an object of keys"),
    ],
)
def test_what_cannot_be_decided_is_refused_in_one_sentence(policy: Any, message: str) -> None:
    with pytest.raises(PolicyError) as error:
        Policy(policy)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "can't be read: No such file or directory."),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "can't be used: A policy is a JSON object with a Statement."),
    ],
)
def test_a_file_that_is_no_policy_is_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "policy.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CommandError) as error:
        call_command("localbatch", "--policy", str(file))
    assert str(error.value).startswith(f"The policy {file} ")
    assert message in str(error.value)
