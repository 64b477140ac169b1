"""The release that runs keeps what it uses, whatever becomes of the next one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management.base import CommandError

from batchexec.deploying import release, templates
from batchexec.deploying.account import Account as Deploying
from batchexec.deploying.allowed import allowed
from batchexec.deploying.migration import migrate
from batchexec.deploying.secrets import whole
from batchexec.deploying.stack import Stack
from tests.batchexec.deployments import LEFT_OUT, Account, account, account_deployed_from_ci, call

pytestmark = LEFT_OUT

KEYS = [f"arn:aws:kms:us-east-1:123456789012:key/{name}" for name in "abc"]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account_deployed_from_ci(tmp_path_factory.mktemp("account")) as made:
        yield made


@pytest.fixture
def secret(deployed: Account) -> Callable[[], str]:
    """Makes a secret of the user's; returns its ARN."""
    client, numbers = deployed.client("secretsmanager"), itertools.count()

    def make() -> str:
        name = f"own/{next(numbers)}-{id(numbers)}"
        return str(client.create_secret(Name=name, SecretString="x")["ARN"])

    return make


@pytest.fixture
def migrations(monkeypatch: pytest.MonkeyPatch) -> Any:
    """How migrations end: `fails` is set by a test, `run` counts them."""

    class Migrations:
        fails, run = False, 0

        def __call__(self, *arguments: Any, **options: Any) -> None:
            self.run += 1
            if self.fails:
                raise CommandError("The migration failed.")

    found = Migrations()
    monkeypatch.setattr(release, "migrate", found)
    return found


def readable(of: Account) -> set[str]:
    """The secrets that the execution role may read.

    moto makes policies and never changes them, so it is by the stack's parameters.
    """
    (stack,) = of.client("cloudformation").describe_stacks(StackName="shop-roles")["Stacks"]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    return set(given["SecretArns"].split(","))


def used(of: Account) -> set[str]:
    """The secrets of the workers that run, without members of theirs."""
    return {whole(one["valueFrom"]) for one in of.container("shop-worker")["secrets"]}


def image(repository: str) -> str:
    digest = "0" * 64
    return f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{repository}@sha256:{digest}"


def deploy(*options: str) -> str:
    return call("deploy", "--name", "shop", *options)


def test_the_execution_role_reads_and_pulls_what_its_parameters_say() -> None:
    role = templates.parsed(templates.text("roles"))["Resources"]["ExecutionRole"]
    (policy,) = role["Properties"]["Policies"]
    found = {}
    for one in policy["PolicyDocument"]["Statement"]:
        statement = one.get("Fn::If", [None, one])[1]
        found[statement["Sid"]] = statement["Resource"]
    assert found["ReadSecrets"] == {"Ref": "SecretArns"}
    assert found["PullImages"] == {"Ref": "RepositoryArns"}
    assert found["DecryptSecrets"] == {"Ref": "SecretsKey"}
    assert found["DecryptSecretsOfTheReleaseBefore"] == {"Ref": "KeysBefore"}


def test_what_runs_can_read_its_secrets_until_a_deployment_finds_it_replaced(
    deployed: Account, secret: Callable[[], str], migrations: Any
) -> None:
    old, new, newer = used(deployed), secret(), secret()
    migrations.fails = True
    for one in (new, newer):
        with pytest.raises(CommandError, match="migration failed"):
            deploy("--database-secret", one)
        assert used(deployed) == old
        assert old | {one} <= readable(deployed)
    migrations.fails = False
    deploy("--database-secret", newer)
    assert newer in used(deployed)
    # Containers of the release before may still start.
    assert old | used(deployed) <= readable(deployed)
    deploy()
    assert used(deployed) == readable(deployed)


def test_what_runs_can_pull_its_image_while_one_of_another_repository_is_deployed() -> None:
    runs = Stack("shop-service", "id", "UPDATE_COMPLETE", parameters={"Image": image("old")})
    base = Stack("shop-base", "id", "UPDATE_COMPLETE", parameters={"Image": image("failed")})
    given = Deploying(None, "us-east-1", "123456789012", "aws", "arn:aws:iam::1:user/x")
    found = allowed(given, {"Image": image("new")}, {"service": runs, "base": base})
    repositories = found["RepositoryArns"].split(",")
    assert [arn.rpartition("/")[2] for arn in repositories] == ["new", "failed", "old"]


def test_what_runs_can_decrypt_its_secrets_while_those_of_another_key_are_deployed() -> None:
    given = Deploying(None, "us-east-1", "123456789012", "aws", "arn:aws:iam::1:user/x")
    first, second, third = KEYS

    def keys(wanted: str, database: str, roles: dict[str, str], runs: str) -> str:
        stacks = {
            "roles": Stack("shop-roles", "id", "UPDATE_COMPLETE", parameters=roles),
            "service": Stack(
                "shop-service", "id", "UPDATE_COMPLETE", parameters={"DatabaseSecret": runs}
            ),
        }
        values = {"SecretsKey": wanted, "DatabaseSecret": database, "Image": image("x")}
        return allowed(given, values, stacks)["KeysBefore"]

    assert keys(second, "b", {"SecretsKey": first}, "a") == first
    after = {"SecretsKey": second, "KeysBefore": first}
    assert keys(second, "b", after, "a") == first, "the change failed, and is repeated"
    assert keys(third, "c", after, "a") == f"{second},{first}", "and another is tried"
    assert keys("", "c", after, "a") == f"{second},{first}", "AWS's own key"
    assert keys(first, "a", after, "a") == second, "back again"
    assert keys(second, "b", after, "b") == "", "it is replaced everywhere"


def test_what_may_be_rolled_back_to_stays_allowed_while_an_earlier_deployment_goes_on() -> None:
    given = Deploying(None, "us-east-1", "123456789012", "aws", "arn:aws:iam::1:user/x")
    old, new = (f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}" for name in "ab")
    wanted = {"SigningKeysSecret": new, "Image": image("new"), "SecretsKey": KEYS[1]}
    before = {
        "SecretsKey": KEYS[1],
        "KeysBefore": KEYS[0],
        "SecretArns": f"{new},{old}",
        "RepositoryArns": "arn:old",
    }

    def found(status: str) -> dict[str, str]:
        # In progress, a stack has its new parameters.
        stacks = {
            "roles": Stack("shop-roles", "id", "UPDATE_COMPLETE", parameters=before),
            "service": Stack("shop-service", "id", status, parameters=wanted),
        }
        return allowed(given, wanted, stacks)

    goes_on, is_over = found("UPDATE_IN_PROGRESS"), found("UPDATE_COMPLETE")
    assert goes_on["SecretArns"] == f"{new},{old}"
    assert goes_on["RepositoryArns"].endswith("repository/new,arn:old")
    assert goes_on["KeysBefore"] == KEYS[0]
    assert (is_over["SecretArns"], is_over["KeysBefore"]) == (new, "")
    assert is_over["RepositoryArns"].endswith("repository/new")


def test_the_deployment_role_leaves_the_roles_as_they_are(
    deployed: Account, secret: Callable[[], str], migrations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy("--database-secret", secret())
    before = readable(deployed)
    assert used(deployed) < before
    role = deployed.outputs("roles")["DeploymentRoleArn"].rpartition("/")[2]
    user = f"arn:aws:sts::{deployed.number}:assumed-role/{role}/ci"
    current = Deploying.current()
    ci = Deploying(current.session, current.region, current.number, current.partition, user)
    with monkeypatch.context() as patch:
        patch.setattr(Deploying, "current", lambda: ci)
        for options in (["--worker-count", "3"], ["--image", deployed.image("by ci")]):
            assert "shop-roles: nothing changes" in deploy(*options)
    assert readable(deployed) == before
    assert "shop-roles: is changed" in deploy()
    assert readable(deployed) == used(deployed)


def test_a_secret_that_got_its_new_value_is_said_when_the_deployment_fails(
    deployed: Account, migrations: Any
) -> None:
    deployed.deploy()
    migrations.fails = True
    with pytest.raises(CommandError) as error:
        deployed.deploy("--image", deployed.image("fails"))
    assert str(error.value) == (
        "The migration failed.\nThe secret shop/database-url has the new value already: "
        "containers of the running release that start from now on read it."
    )
    with pytest.raises(CommandError) as error:
        deploy("--image", deployed.image("fails"))
    assert str(error.value) == "The migration failed."


def test_another_database_is_migrated_even_by_the_image_that_runs(
    deployed: Account, secret: Callable[[], str], migrations: Any
) -> None:
    def count(*options: str) -> int:
        before = migrations.run
        deploy(*options)
        return int(migrations.run - before)

    one = secret()
    assert count("--database-secret", one) == 1
    assert count("--database-secret", one) == 0
    assert count("--worker-count", "2") == 0
    assert count("--database-url-file", str(deployed.url_file)) == 1
    assert count("--database-secret", one, "--no-migrate") == 0


def test_a_secret_named_without_its_random_characters_is_used_by_its_whole_arn(
    deployed: Account, secret: Callable[[], str], migrations: Any
) -> None:
    full = secret()
    short, _, characters = full.rpartition("-")
    assert len(characters) == 6
    deploy("--database-secret", f"{short}:url::")
    told = [one["valueFrom"] for one in deployed.container("shop-worker")["secrets"]]
    assert f"{full}:url::" in told
    assert full in readable(deployed)
    assert short not in readable(deployed)


def test_secrets_that_are_made_are_encrypted_by_the_key_that_is_named(
    tmp_path: Any, migrations: Any
) -> None:
    with account(tmp_path) as made:
        kms = made.client("kms")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        made.deploy("--image", made.image(), *made.network(), "--secrets-key", key)
        found = made.client("secretsmanager").list_secrets()["SecretList"]
        assert {one["Name"]: one.get("KmsKeyId") for one in found} == {
            "shop/database-url": key,
            "shop/secret-key": key,
        }


@pytest.mark.parametrize("agent", [{"reason": "CannotPullContainerError"}, {"exitCode": 1}])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_container_that_aws_puts_beside_it_says_nothing_of_the_migration(
    agent: dict[str, Any], is_first: bool
) -> None:
    def run(exit_code: int) -> None:
        both = [{"name": "aws-guardduty-agent-x", **agent}, {"name": "migrate"}]
        both[1]["exitCode"] = exit_code
        stopped = {"taskArn": "a/t", "lastStatus": "STOPPED"}

        class Client:
            def run_task(self, **request: Any) -> Any:
                return {"tasks": [stopped]}

            def describe_tasks(self, **request: Any) -> Any:
                containers = both if is_first else both[::-1]
                return {"tasks": [{**stopped, "containers": containers}]}

            def get_log_events(self, **request: Any) -> Any:
                assert request["logStreamName"] == "migrate/migrate/t"
                return {"events": [{"message": "no such table"}]}

        class There(Deploying):
            def client(self, service: str) -> Any:
                return Client()

        migrate(
            There(None, "us-east-1", "1", "aws", "x"),
            name="shop",
            task="t",
            cluster="c",
            subnets=[],
            security_group="s",
            public_ip="DISABLED",
            say=lambda text: None,
        )

    run(0)
    with pytest.raises(CommandError, match=r"exit code 3.*\n  no such table"):
        run(3)
