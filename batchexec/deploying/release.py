"""One deployment: its values, checked as a whole, and its stacks in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from django.core.management.base import CommandError

from batchexec.deploying import arns, network, secrets, templates, values, words
from batchexec.deploying.allowed import SECRETS, allowed
from batchexec.deploying.environment import Environment
from batchexec.deploying.image import Image
from batchexec.deploying.migration import migrate
from batchexec.deploying.secrets import Secrets

#: What `--dry-run` takes for what isn't made yet.
NOT_YET = {
    "VpcId": "vpc-00000000",
    "Subnets": "subnet-00000000",
    "SecurityGroupId": "sg-00000000",
}
#: The parameters that take their value from an output of a stack, by that stack.
OUTPUTS = {
    "network": ("VpcId", "Subnets"),
    "roles": (
        *("ExecutionRoleArn", "JobRoleArn", "WorkerRoleArn", "WebRoleArn", "ScheduleRoleArn"),
        "MachineProfileArn",
    ),
    "base": ("ClusterArn", "SecurityGroupId"),
    "batch": ("JobQueue", "JobDefinition"),
}


class Release:
    """Nothing is changed before `make`.

    `given`: the options by parameter, None where one is left out.
    `env`: what `--env` says.
    """

    def __init__(
        self,
        environment: Environment,
        given: Mapping[str, str | None],
        env: Sequence[str],
        say: Callable[[str], None],
    ):
        self._environment = environment
        self._account = environment.account
        self._given = given
        self._env = env
        self._say = say
        self._secrets = Secrets(self._account.client("secretsmanager"), environment.name)
        self._values: dict[str, str] = {}
        self._variables: dict[str, str] = {}
        #: DATABASE_URL, until it is in Secrets Manager.
        self._database_url = ""

    def check(self, database_url_file: str | None) -> None:
        """Checks everything that can be known now.

        Raises CommandError with a sentence, a line each, for all that is wrong.
        """
        stacks = self._environment.stacks
        self._values = values.settled(self._given, values.deployed(list(stacks.values())))
        if "network" in stacks:
            if self._given.get("VpcId") or self._given.get("Subnets"):
                raise CommandError(
                    f"{self._environment.name} has a network of its own, which can't be exchanged: "
                    "leave out --vpc-id and --subnets, or deploy under another --name."
                )
            for name in OUTPUTS["network"]:
                self._values.pop(name, None)
        found = self._problems_of_image()
        found += values.problems(self._values, self._given)
        if not found:
            found += network.problems(self._account, self._values)
        found += arns.problems(self._account, self._given)
        found += values.fixed(self._given, values.deployed(list(stacks.values())))
        found += self._problems_of_secrets(database_url_file)
        try:
            self._variables = values.environment(self._environment.variables(), self._env)
        except ValueError as error:
            found.append(str(error))
        if found:
            raise CommandError("\n".join(found))

    def _problems_of_image(self) -> list[str]:
        text = self._values.get("Image")
        if not text:
            return ["--image is missing: push one first, see `batchexec push`."]
        try:
            problem = Image.of(text).problem(self._account)
        except ValueError as error:
            # It is said better than by the template's pattern.
            del self._values["Image"]
            return [str(error)]
        return [problem] if problem else []

    def _problems_of_secrets(self, database_url_file: str | None) -> list[str]:
        if database_url_file is not None and self._given.get("DatabaseSecret") is not None:
            return ["--database-url-file and --database-secret exclude each other."]
        try:
            if database_url_file is not None:
                self._database_url = secrets.database_url(database_url_file)
        except ValueError as error:
            return [str(error)]
        if not self._database_url and not self._values.get("DatabaseSecret"):
            if arn := self._secrets.find("database-url"):
                self._values["DatabaseSecret"] = arn
            else:
                return [
                    "The containers need a database: give --database-url-file FILE, or "
                    "--database-secret ARN."
                ]
        found = []
        for name in SECRETS:
            parameter, arn = values.options()[name], self._values.get(name)
            if name == "DatabaseSecret" and self._database_url:
                continue  # it is about to be the environment's own
            # What is wrong with its form or place is said already.
            if not arn or parameter.problem(arn) or arns.is_elsewhere(self._account, arn):
                continue
            if known := secrets.named(self._account.client("secretsmanager"), arn):
                self._values[name] = known
            else:
                found.append(f"{parameter.option}: there is no secret {arn}.")
        return found

    def rehearse(self) -> None:
        """Says what `make` would change, by change sets that are deleted again."""
        if self._database_url:
            is_new = self._secrets.find("database-url") is None
            change = "made" if is_new else "given the value of the file"
            self._say(f"secrets: {self._environment.name}/database-url would be {change}")
        if not self._values.get("SecretKeySecret") and not self._secrets.find("secret-key"):
            self._say(f"secrets: {self._environment.name}/secret-key would be made at random")
        self._values.setdefault("DatabaseSecret", self._pretended("database-url"))
        self._values.setdefault("SecretKeySecret", self._pretended("secret-key"))
        formation = self._environment.formation
        for stack in self._wanted():
            name = self._environment.stack_name(stack)
            if problem := formation.obstacle(name):
                self._say(problem)
                continue
            if stack == "network" and stack not in self._environment.stacks:
                self._values.update(VpcId=NOT_YET["VpcId"], Subnets=NOT_YET["Subnets"])
            plan = formation.plan(name, self._body(stack), self._values_of(stack, pretend=True))
            for line in words.lines(plan):
                self._say(line)
            if not plan.unchanged:
                formation.forget(plan)
            self._learn(stack)
        self._say("Nothing was changed.")

    def make(self, *, migrates: bool, restarts: bool) -> None:
        """Makes and changes what differs, in order. Repeating it does no harm."""
        key = self._values["SecretsKey"]
        if self._database_url:
            self._values["DatabaseSecret"] = self._secrets.keep(
                "database-url", self._database_url, key
            )
        if not self._values.get("SecretKeySecret"):
            self._values["SecretKeySecret"] = self._secrets.secret_key(key)
        is_new = self._differs("Image")
        # Of the same secret, nobody knows which database has been migrated.
        is_elsewhere = bool(self._database_url) or self._differs("DatabaseSecret")
        for stack in self._wanted():
            try:
                self._make(stack)
                if stack == "base" and migrates and (is_new or is_elsewhere):
                    self._migrate()
            except CommandError as error:
                raise CommandError(f"{error}{self._left()}") from error
        if restarts and not is_new:
            self._restart()
        self._say(self._farewell())

    def _differs(self, name: str) -> bool:
        """Whether what runs has another value, or nothing runs yet."""
        service = self._environment.stacks.get("service")
        return service is None or service.parameters.get(name) != self._values[name]

    def _left(self) -> str:
        """What a deployment that failed has changed for the release that runs; of a
        first one, what it has left, and how to remove it.
        """
        if service := self._environment.stacks.get("service"):
            secret = self._values["DatabaseSecret"]
            if not self._database_url or service.parameters.get("DatabaseSecret") != secret:
                return ""
            return (
                f"\nThe secret {self._environment.name}/database-url has the new value already: "
                "containers of the running release that start from now on read it."
            )
        names = map(self._environment.stack_name, templates.STACKS)
        there = [name for name in names if self._environment.formation.look(name)]
        if not there:
            return ""
        return (
            f"\nUntil then these stacks are there: {', '.join(there)}. "
            f"`manage.py batchexec destroy --name {self._environment.name}` removes them."
        )

    def _make(self, stack: str) -> None:
        name = self._environment.stack_name(stack)
        formation = self._environment.formation
        formation.ready(name)
        plan = formation.plan(name, self._body(stack), self._values_of(stack))
        if plan.unchanged:
            self._say(f"{name}: nothing changes")
        else:
            self._say(f"{name}: {'is made' if plan.is_new else 'is changed'}")
            formation.apply(plan)
        self._learn(stack)

    def _wanted(self) -> list[str]:
        """The stacks in order. A network is made for those who have none."""
        has_own = "VpcId" in self._values and "network" not in self._environment.stacks
        return [stack for stack in templates.STACKS if stack != "network" or not has_own]

    def _body(self, stack: str) -> str:
        return templates.text(stack, self._variables)

    def _values_of(self, stack: str, *, pretend: bool = False) -> dict[str, str]:
        found = {**self._values, **self._derived()}
        wanted = templates.parameters(stack)
        if pretend:
            account = self._account
            role = f"arn:{account.partition}:iam::{account.number}:role/not-made-yet"
            found = {**{name: NOT_YET.get(name, role) for name in wanted}, **found}
        return {name: found[name] for name in wanted if name in found}

    def _derived(self) -> dict[str, str]:
        return {
            **allowed(self._account, self._values, self._environment.stacks),
            "Environment": values.as_text(self._variables),
        }

    def _learn(self, stack: str) -> None:
        """Takes what later stacks need from the outputs of this one."""
        found = self._environment.formation.look(self._environment.stack_name(stack))
        outputs = found.outputs if found else {}
        self._values.update(
            {name: outputs[name] for name in OUTPUTS.get(stack, ()) if name in outputs}
        )

    def _migrate(self) -> None:
        base = self._environment.formation.look(self._environment.stack_name("base"))
        assert base is not None  # it was just made
        self._say(f"The database must let in {self._origin()}.")
        migrate(
            self._account,
            name=self._environment.name,
            task=base.outputs["MigrateTask"],
            cluster=self._values["ClusterArn"],
            subnets=self._values["Subnets"].split(","),
            security_group=self._values["SecurityGroupId"],
            public_ip=self._values["PublicIp"],
            say=self._say,
        )

    def _origin(self) -> str:
        """Where the database sees the containers come from."""
        network = self._environment.formation.look(self._environment.stack_name("network"))
        if network and (address := network.outputs.get("NatIp")):
            return f"the address {address}"
        return f"the security group {self._values['SecurityGroupId']}"

    def _restart(self) -> None:
        """New tasks in place of those that run, some after the others."""
        ecs = self._account.client("ecs")
        cluster = self._values["ClusterArn"]
        services = ecs.list_services(cluster=cluster)["serviceArns"]
        for service in services:
            ecs.update_service(cluster=cluster, service=service, forceNewDeployment=True)
            self._say(f"{service.rpartition('/')[2]}: its tasks are started anew")

    def _pretended(self, kind: str) -> str:
        account = self._account
        return (
            f"arn:{account.partition}:secretsmanager:{account.region}:{account.number}:secret:"
            f"{self._environment.name}/{kind}-NOTYET"
        )

    def _farewell(self) -> str:
        return (
            f"Done. Jobs go to the queue {self._values['JobQueue']}, with "
            f"{self._values['JobDefinition'].rpartition('/')[2]}. See whether all is well by "
            f"`manage.py batchexec doctor`."
        )
