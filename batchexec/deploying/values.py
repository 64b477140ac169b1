"""The values of the templates' parameters, all of which are checked before anything is
made.

A value is what the command is given, else what is deployed, else the default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from batchexec.conf import settings as batch_settings
from batchexec.deploying.stack import Stack
from batchexec.deploying.templates import LONGEST, STACKS, Parameter, parameters, shown
from batchexec.limits import RESERVED_PREFIX
from batchexec.sizes import FARGATE_SIZES
from jobs.conf import settings as jobs_settings

#: The command finds these out. The others are its options.
FOUND = frozenset(
    {
        *(
            "RepositoryArns",
            "SecretArns",
            "KeysBefore",
            "ExecutionRoleArn",
            "JobRoleArn",
            "WorkerRoleArn",
        ),
        *("WebRoleArn", "ScheduleRoleArn", "MachineProfileArn", "SecurityGroupId", "ClusterArn"),
        *("JobQueue", "JobDefinition", "Environment"),
    }
)
#: Lists and texts that a template of roles takes without a pattern.
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Variables that the templates or the worker set, each with what to do instead.
TAKEN = {
    "ALLOWED_HOSTS": "use --allowed-hosts",
    "DATABASE_URL": "use --database-url-file",
    "SECRET_KEY": "use --secret-key-secret",
    "JOBS_SIGNING_KEYS": "use --signing-keys-secret",
    "BATCHEXEC_JOB_QUEUE": "it goes by --name",
    "BATCHEXEC_JOB_DEFINITION": "it goes by --image",
    "BATCHEXEC_SHARE_IDENTIFIER": "it goes by --fair-share",
    "LOG_FORMAT": "it is always json",
    "PORT": "it is always 8000",
    "JOB_ID": "the worker sets it",
    "JOB_EPOCH": "the worker sets it",
}
#: Parameters that stay as they are, with the reason.
FIXED = {
    "VpcId": "AWS moves no security group to another network",
    "Addresses": "the subnets are in use",
    "FairShare": "AWS Batch neither gives a queue a scheduling policy nor takes it",
}
SECRET = re.compile(
    "SECRET|PASS(?:WORD|WD|PHRASE)?(?:_|$)|PASSWORD|TOKEN|CREDENTIAL"
    "|(?:ACCESS|API|AUTH|ENCRYPTION|PRIVATE|SIGNING)_?KEY",
    re.IGNORECASE,
)
#: The settings that containers read from variables, by what is before the first _.
SETTINGS = {"JOBS": jobs_settings, "BATCHEXEC": batch_settings}


def options() -> dict[str, Parameter]:
    """The parameters that are options of the command, by name, each once."""
    return {
        name: parameter
        for stack in STACKS
        for name, parameter in parameters(stack).items()
        if name not in FOUND
    }


def deployed(stacks: Sequence[Stack | None]) -> dict[str, str]:
    """What the stacks that exist were made with."""
    return {
        name: value
        for stack in stacks
        if stack is not None and stack.exists
        for name, value in stack.parameters.items()
    }


def settled(given: Mapping[str, str | None], before: Mapping[str, str]) -> dict[str, str]:
    """A value for each option that has one."""
    found = {}
    for name, parameter in options().items():
        value = given.get(name)
        value = before.get(name, parameter.default) if value is None else value
        if value is not None:
            found[name] = value
    return found


def problems(values: Mapping[str, str], given: Mapping[str, str | None]) -> Iterator[str]:
    """What is wrong with the values, a sentence each.

    Without web servers, theirs are judged only if they are `given` now.
    """
    known = options()
    for name, value in values.items():
        if text := known[name].problem(value):
            yield text
            return  # of one that isn't well-formed, the rest can't be judged
    yield from _sizes(values)
    if ("VpcId" in values) != ("Subnets" in values):
        yield "--vpc-id and --subnets belong together: give both, or none for a network of its own."
    if values["Machines"] and values["Egress"] == "endpoints" and "VpcId" not in values:
        yield (
            "--machines with --egress endpoints can't work: machines need ways to ECS that these "
            "endpoints aren't, so use --egress nat or both."
        )
    has_web = values["WebCount"] != "0"
    if given.get("WebSource") and not has_web:
        yield "--web-source is of no use without web servers: add --web-count."
    has_group = values["WebTargetGroup"] if has_web else given.get("WebTargetGroup")
    if has_group and not values["WebSource"]:
        yield (
            "--web-target-group needs --web-source, the security group of its load balancer: "
            "nothing else may connect."
        )
    if has_web and values["AllowedHosts"] == "localhost":
        yield "--web-count needs --allowed-hosts: the host names that the web site is called by."
    if "*" in values["AllowedHosts"].split(","):
        yield "--allowed-hosts '*' allows every name, which the settings refuse: name the hosts."


def fixed(given: Mapping[str, str | None], before: Mapping[str, str]) -> Iterator[str]:
    """What AWS can't change in an environment that exists, a sentence each."""
    for name, why in FIXED.items():
        value, known = given.get(name), before.get(name)
        if value is not None and known is not None and value != known:
            yield (
                f"{options()[name].option} is {known!r}, and {why}: deploy {value!r} under another "
                "--name."
            )


def _sizes(values: Mapping[str, str]) -> Iterator[str]:
    pairs = (
        ("--job-vcpu", "--job-memory", float(values["JobVcpu"]), values["JobMemory"]),
        (
            "--worker-cpu",
            "--worker-memory",
            int(values["WorkerCpu"]) / 1024,
            values["WorkerMemory"],
        ),
        ("--web-cpu", "--web-memory", int(values["WebCpu"]) / 1024, values["WebMemory"]),
    )
    for cpu, memory, vcpu, given in pairs:
        offered = FARGATE_SIZES[vcpu]
        if int(float(given)) not in offered:
            yield (
                f"{memory} {given}: with {cpu} for {vcpu:g} vCPU, Fargate offers "
                f"{', '.join(map(str, offered))} MiB."
            )


def environment(before: str, changes: Sequence[str]) -> dict[str, str]:
    """The containers' own variables, after the changes NAME=VALUE and NAME=.

    Raises ValueError in a sentence for what isn't one, or isn't the user's to set.
    """
    found: dict[str, str] = json.loads(before) if before.strip() else {}
    for change in changes:
        name, sign, value = change.partition("=")
        if not sign or not VARIABLE.fullmatch(name):
            # What isn't a name may be a secret.
            raise ValueError(
                f"--env {shown(name) if sign else '…'} is not NAME=VALUE, or NAME= to remove it: a "
                "name has letters, digits and _ in it."
            )
        if name in TAKEN:
            raise ValueError(f"--env {name} can't be chosen: {TAKEN[name]}.")
        if name.startswith(RESERVED_PREFIX):
            raise ValueError(f"--env {name} can't be chosen: AWS Batch sets what begins so.")
        if SECRET.search(name) or re.search(r"://[^/\s@]*:[^/\s@]+@", value):
            raise ValueError(
                f"--env {name} looks like a secret, and everybody who may look at the stack "
                "could read it: keep it in Secrets Manager, and have your settings read it there."
            )
        if not value.isprintable():
            raise ValueError(f"--env {name} has characters that can't be printed.")
        _check_setting(name, value)
        found.pop(name, None)
        if value:
            found[name] = value
    if len(as_text(found)) > LONGEST:
        raise ValueError(f"--env: CloudFormation keeps {LONGEST} characters at most.")
    return found


def _check_setting(name: str, value: str) -> None:
    """Raises ValueError, in a sentence, for one that containers couldn't start with."""
    begin, _, key = name.partition("_")
    settings = SETTINGS.get(begin)
    try:
        if settings is not None:
            settings.told(key, value)
    except KeyError:
        return  # the project's own
    except (TypeError, ValueError) as error:
        raise ValueError(f"--env {name} is {shown(value)}: it takes {error}.") from None


def as_text(variables: Mapping[str, str]) -> str:
    """The variables as the parameter Environment; empty if there are none."""
    return json.dumps(variables, sort_keys=True) if variables else ""
