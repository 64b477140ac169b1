"""What `manage.py batchexec` is given: all that is wrong is said, a sentence each, and
nothing is made.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from django.core.management.base import CommandError

from batchexec.deploying import arns, deploy, values
from batchexec.deploying.environment import Environment
from batchexec.deploying.image import Image
from batchexec.deploying.release import Release
from tests.batchexec.deployments import CREDENTIALS, LEFT_OUT, Account, account, call

pytestmark = LEFT_OUT

DIGEST = "sha256:" + "0" * 64
NUMBER = "123456789012"
HOST = f"{NUMBER}.dkr.ecr.us-east-1.amazonaws.com"
SECRET = f"arn:aws:secretsmanager:us-east-1:{NUMBER}:secret:x-AbCdEf"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("account")) as made:
        yield made


def said(deploy: Any, *options: Any) -> list[str]:
    with pytest.raises(CommandError) as error:
        deploy(*options)
    lines = str(error.value).splitlines()
    assert all(line.endswith((".", "…")) for line in lines), lines
    return lines


WRONG = [
    (["--image", "shop:latest"], "is not in ECR"),
    (["--image", "docker.io/library/python@" + DIGEST], "is not in ECR"),
    (["--image", f"{HOST}/shop:one"], "has no digest"),
    (["--image", f"{HOST}/shop"], "has no digest"),
    (["--image", f"{HOST}/shop@sha256:12"], "doesn't end with a digest"),
    (["--image", f"{HOST}/shop@md5:{'0' * 64}"], "doesn't end with a digest"),
    (["--image", f"{HOST}/shop@{DIGEST}\n"], "is not in ECR"),
    (["--worker-count", "two"], "--worker-count must be a whole number, not 'two'."),
    (["--worker-count=-1"], "--worker-count must be a whole number, not '-1'."),
    (["--worker-count", "1e9"], "must be a whole number"),
    (["--worker-count", "1.5"], "must be a whole number"),
    (["--worker-count", "02"], "must be a whole number"),
    (["--worker-count", ""], "must be a whole number"),
    (["--job-memory", "1024.5"], "must be a whole number"),
    (["--subnets", "", "--vpc-id", "vpc-12345678"], "'' isn't."),
    (["--worker-count", "101"], "must be 100 or less"),
    (["--max-vcpus", "0"], "--max-vcpus must be 1 or more"),
    (["--job-timeout", "59"], "--job-timeout must be 60 or more"),
    (["--job-vcpu", "3"], "--job-vcpu must be one of"),
    (["--job-vcpu", "0.25", "--job-memory", "4096"], "Fargate offers 512, 1024, 2048 MiB."),
    (["--worker-cpu", "256", "--worker-memory", "700"], "--worker-memory 700: with"),
    (["--web-memory", "600"], "--web-memory 600"),
    (["--architecture", "arm64"], "must be one of X86_64, ARM64, not 'arm64'."),
    (["--log-retention", "31"], "--log-retention must be one of"),
    (["--spot", "yes"], "--spot must be one of false, true"),
    (["--machines", "g5.xlarge, p3"], "but ' p3' isn't."),
    (["--addresses", "8.8"], "such as 10.20"),
    (["--vpc-id", "vpc-12345678"], "--vpc-id and --subnets belong together"),
    (["--vpc-id", "x", "--subnets", "subnet-12345678"], "--vpc-id is the id of a VPC"),
    (["--vpc-id", "vpc-12345678", "--subnets", "subnet-1,y"], "'subnet-1' isn't."),
    (["--web-count", "1"], "--web-count needs --allowed-hosts"),
    (["--allowed-hosts", "*"], "allows every name"),
    (["--allowed-hosts", "a b"], "--allowed-hosts is a list of host names"),
    (["--web-source", "sg-12345678"], "no use without web servers"),
    (["--alarm-email", "nobody"], "--alarm-email is an e-mail address"),
    (["--deployed-by", "ci"], "--deployed-by is the ARN of an IAM role"),
    (["--job-policies", "arn:aws:iam::aws:policy/A,b"], "but 'b' isn't."),
    (["--secret-key-secret", "shop/key"], "--secret-key-secret is the ARN of a secret"),
    (["--secret-key-secret", SECRET.replace("us-east-1", "eu-west-1")], "is in eu-west-1"),
    (["--env", "A"], "is not NAME=VALUE"),
    (["--env", "1A=b"], "is not NAME=VALUE"),
    (["--env", "SECRET_KEY=x"], "use --secret-key-secret"),
    (["--env", "AWS_BATCH_JOB_ID=x"], "AWS Batch sets what begins so"),
    (["--env", "A=\ud800"], "can't be printed"),
    (["--env", "MY_PASSWORD=x"], "looks like a secret"),
    (["--env", "CACHE=redis://user:word@host/0"], "looks like a secret"),
    (["--env", "A=b\x1b[0m"], "can't be printed"),
    (["--env", "A=" + "b" * 5000], "4096 characters at most"),
    (["--env", "STRIPE_API_KEY=x"], "looks like a secret"),
    (["--env", "DB_PASS=x"], "looks like a secret"),
    (["--env", "JOBS_LEASE=soon"], "JOBS_LEASE is 'soon': it takes"),
    (["--env", "BATCHEXEC_SUBMIT_RATE=-1"], "BATCHEXEC_SUBMIT_RATE is '-1': it takes"),
    (["--allowed-hosts", "a" * 4097], "4097 characters, and CloudFormation keeps 4096"),
    (["--alarm-email", "a\x1b@b\x00.c"], "--alarm-email has characters that can't be printed"),
    (["--machines", "g5.xlarge,g5.xlarge"], "names one of them twice"),
    (["--job-policies", "arn:aws:iam::999999999999:policy/x"], "the account 999999999999's"),
    (["--job-policies", "arn:aws-cn:iam::aws:policy/x"], "in the partition aws-cn"),
    (["--batch-service-role", "arn:aws:iam::999999999999:role/x"], "the account 999999999999's"),
    (["--deployed-by", f"arn:aws-us-gov:iam::{NUMBER}:role/x"], "in the partition aws-us-gov"),
    (["--secrets-key", f"arn:aws:kms:eu-west-1:{NUMBER}:key/x"], "--secrets-key is in eu-west-1"),
    (["--signing-keys-secret", SECRET.replace(":aws:", ":aws-cn:")], "in the partition aws-cn"),
]


def test_what_may_be_another_accounts_is_taken() -> None:
    given = {
        "DeployedBy": "arn:aws:iam::999999999999:role/ci",
        "SecretsKey": "arn:aws:kms:us-east-1:999999999999:key/x",
        "DatabaseSecret": SECRET.replace(NUMBER, "999999999999"),
        "JobPolicies": f"arn:aws:iam::aws:policy/A,arn:aws:iam::{NUMBER}:policy/B",
    }
    assert list(arns.problems(cast(Any, Nothing()), given)) == []


@pytest.mark.parametrize("change", ["mongodb://u:s3cret@h/x", "MY-KEY=s3cret", "s3cret"])
def test_a_variable_that_is_none_is_refused_without_its_value(change: str) -> None:
    with pytest.raises(ValueError, match="is not NAME=VALUE") as error:
        values.environment("", [change])
    assert "s3cret" not in str(error.value)


class Nothing:
    """An account in which nothing is deployed, and nothing may be asked."""

    region, number, partition = "us-east-1", "123456789012", "aws"

    def client(self, service: str) -> None:
        return None


def checked(options: list[str]) -> None:
    parser = ArgumentParser()
    deploy.add_arguments(parser)
    given = vars(parser.parse_args(["--database-secret", SECRET, *options]))
    environment = Environment.__new__(Environment)
    environment.__dict__.update(account=Nothing(), name="shop", stacks={})
    chosen = {name: given.get(name) for name in values.options()}
    Release(environment, {**chosen, "Name": "shop"}, given["env"], print).check(None)


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_a_value_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.setattr(Image, "problem", lambda image, account: "")
    monkeypatch.setattr("batchexec.deploying.secrets.named", lambda client, arn: arn)
    if "--image" not in options:
        options = ["--image", f"{HOST}/shop@{DIGEST}", *options]
    (line,) = said(checked, options)
    assert message in line


def test_web_servers_are_removed_by_their_count_alone() -> None:
    before = {
        "WebCount": "2",
        "WebCpu": "1024",
        "WebMemory": "2048",
        "WebSource": "sg-12345678",
        "WebTargetGroup": f"arn:aws:elasticloadbalancing:us-east-1:{NUMBER}:targetgroup/x/1",
        "AllowedHosts": "shop.example.com",
    }

    def found(before: dict[str, str], **given: str) -> list[str]:
        return list(values.problems(values.settled(given, before), given))

    assert found(before) == []
    assert found(before, WebCount="0") == []
    gone = {**before, "WebCount": "0"}
    assert found(gone, WorkerCount="3") == []
    assert found(gone, WebSource="") == []
    assert found(gone, WebCount="1") == []
    for count in ({}, {"WebCount": "0"}):
        (text,) = found(gone, WebSource="sg-12345679", **count)
        assert "of no use without web servers" in text
    group = before["WebTargetGroup"]
    (text,) = found({**gone, "WebSource": ""}, WebTargetGroup=group)
    assert "--web-target-group needs --web-source" in text
    (text,) = found(before, WebSource="")
    assert "--web-target-group needs --web-source" in text


@pytest.mark.parametrize("name", ["Shop", "a" * 41, "shop--x", "-x", "", "é", "a b", "a\n"])
@pytest.mark.parametrize("action", ["deploy", "status", "destroy"])
def test_a_name_that_not_all_of_its_resources_can_have(action: str, name: str) -> None:
    with pytest.raises(CommandError, match="--name has up to 40 lower-case letters"):
        call(action, f"--name={name}")
    with pytest.raises(CommandError, match="ends like a queue of another environment"):
        call(action, "--name=shop-spot")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--image is missing"),
        (["--image", f"{HOST.replace('us-east-1', 'eu-west-1')}/shop@{DIGEST}"], "eu-west-1"),
        (["--image", f"{HOST}/nothing@{DIGEST}"], "no repository 'nothing'"),
        (["--image", f"{HOST}/shop@{DIGEST}"], f"has no image {DIGEST}"),
        (["--vpc-id", "vpc-12345678", "--subnets", "subnet-12345678"], "does not exist"),
        (["--secret-key-secret", SECRET], "there is no secret"),
        (["--database-secret", SECRET], "exclude each other"),
    ],
)
def test_what_aws_says_cannot_be(empty: Account, options: list[str], message: str) -> None:
    if "--image" not in options and options:
        options = ["--image", empty.image(), *options]
    own = [option.replace(NUMBER, empty.number) for option in options]
    assert message in " ".join(said(empty.deploy, *own))
    assert empty.stacks() == ["shop-registry"]
    assert empty.client("secretsmanager").list_secrets()["SecretList"] == []


def test_everything_that_is_wrong_is_said_at_once(empty: Account) -> None:
    lines = said(empty.deploy, "--image", "x", "--job-memory", "700", "--env", "A")
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory."),
        (b"", "must hold one URL"),
        (b"\xff\xfe", "it isn't text."),
        (b"postgres://u:pass-word@h/x\npostgres://u:pass-word@h/y", "must hold one URL"),
        (b"sqlite:///pass-word", "must hold one URL"),
        (b"postgres://[pass-word", "can't be read"),
        (b"postgres://u:pass-word@localhost/x", "on this machine"),
        (b"mongodb://u:pass-word@127.0.0.1:27017/x", "on this machine"),
        (b"mongodb://u:pass-word@h.example.com,localhost:27017/x", "on this machine"),
        (b"postgres://u:pass-word@0.0.0.0/x", "on this machine"),
        (b"postgres://u:pass-word@[::ffff:127.0.0.1]/x", "on this machine"),
        (b"postgres://u:pass-word@db.example.com:port/x", "can't be read"),
        (b"postgres://u:pass-word@db.example.com:99999/x", "can't be read"),
        (b"postgres://u:pass/word@db.example.com/x", "can't be read"),
        (b"postgres://u:pass-word\0@db.example.com/x", "can't be read"),
        (b"mongodb://u:pass-word@x@db.example.com/x", "can't be read"),
        (b"postgres://u:pass-word@db.example.com", "names no database"),
        (b"mongodb://u:pass-word@db.example.com/" + b"x" * 20_000, "10000 characters or more"),
    ],
)
def test_a_database_that_no_container_reaches(
    empty: Account, tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    options = ["--image", empty.image(), "--database-url-file", str(file)]
    (line,) = said(empty.deploy, *options)
    assert message in line
    assert "pass-word" not in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"AWS_REGION": None}, "A deployment needs a region: set AWS_REGION."),
        ({"AWS_REGION": "us-east-99"}, "boto3 knows no region 'us-east-99'"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "credentials are missing"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "set both AWS_ACCESS_KEY_ID and"),
        ({"AWS_PROFILE": "nobody"}, "AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS can't be asked who you are"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:99999"}, "see whether AWS_ENDPOINT_URL"),
    ],
)
def test_no_region_or_credentials_is_one_sentence(
    empty: Account,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    change: dict[str, str | None],
    message: str,
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    for name, value in {**CREDENTIALS, **change}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        "batchexec.deploying.account.CONFIG", {"retries": {"total_max_attempts": 1}}
    )
    for action in ("deploy", "push", "status", "destroy"):
        with pytest.raises(CommandError) as error:
            call(action)
        assert message in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--repository", "Shop"], "--repository has 2 to 200 lower-case letters"),
        (["--repository", "a" * 201], "201 characters"),
        (["--tag", "a b"], "has 1 to 128 letters, digits and . _ - in it, not 'a b'"),
        (["--tag", "a" * 129], "has 1 to 128"),
        (["--run", "--folder", "docs"], "no Dockerfile in the folder docs: name its folder by"),
        (["--tag", ""], "has 1 to 128"),
        (["--repository", "a" * 120], "128 characters at most"),
        (["--repository", "9shop"], "begins with a letter"),
        (["--folder=-x"], "is not the name of a folder"),
        (["--folder", ""], "is not the name of a folder"),
        (["--folder", "/nowhere", "--run"], "there is no folder"),
        (["--folder", "a\0b", "--run"], "there is no folder"),
    ],
)
def test_push_refuses_names_that_ecr_would_not_take_and_a_folder_without_a_dockerfile(
    empty: Account, options: list[str], message: str
) -> None:
    assert message in " ".join(said(lambda *given: call("push", *given), *options))
