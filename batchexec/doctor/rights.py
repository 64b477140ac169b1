"""What the roles may do: by IAM's simulator, or by a harmless call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from batchexec.aws import answers
from batchexec.aws.boto import exceptions
from batchexec.conf import settings
from batchexec.doctor.definition import log_group_of
from batchexec.doctor.deployment import Deployment
from batchexec.doctor.findings import Finding, fault, members, ok, warning
from batchexec.doctor.image import IN_ECR
from batchexec.doctor.secrets import SECRET, known_arn

#: Of no Batch job and of no revision, so that a call with it changes nothing.
NO_JOB = "00000000-0000-0000-0000-000000000000"
NO_REVISION = 2147483647
REASON = "manage.py batchexec doctor"
DESCRIPTIONS = {
    "batch:DescribeJobQueues": "describe_job_queues",
    "batch:DescribeJobDefinitions": "describe_job_definitions",
    "batch:DescribeComputeEnvironments": "describe_compute_environments",
}
#: Without these, the worker knows less and does with that; see docs/deploying.md.
OPTIONAL = ("batch:DescribeComputeEnvironments", "batch:TagResource")


@dataclass(frozen=True)
class Right:
    """An action on resources, and a call that needs it and changes nothing."""

    action: str
    resources: Sequence[str]
    call: Callable[[Any], object] = lambda client: None


def worker(deployment: Deployment) -> Iterator[Finding]:
    """The hand-over's own actions, of the worker's role or the identity that asks."""
    role = deployment.worker_role or _role_of(str(deployment.identity().get("Arn", "")))
    rights = list(_of_worker(deployment))
    decisions = _simulated(deployment, role, rights) if role else None
    who = role or "The identity that asks here"
    if decisions is None and deployment.worker_role:
        yield warning(
            f"What {role} may do can't be looked at.",
            "allow iam:SimulatePrincipalPolicy, or run this with the worker's role.",
        )
        return
    denied = []
    for right in rights:
        if decisions is not None:
            is_denied = not decisions.get(right.action, False)
        else:
            is_denied = _is_denied(deployment, right)
        if is_denied:
            denied.append(right.action)
            found_wrong = warning if right.action in OPTIONAL else fault
            yield found_wrong(
                f"{who} may not {right.action} on {', '.join(right.resources)}.",
                f"allow {right.action} to the worker's role.",
            )
    if not denied:
        yield ok(f"{who} may do all that a worker does: {len(rights)} actions.")


def execution(deployment: Deployment) -> Iterator[Finding]:
    """What starting a container needs; only the simulator can say, as ECS takes it."""
    role = str(deployment.container().get("executionRoleArn") or "")
    if role.count(":") < 5:  # none, or what no role's ARN is: another check says so
        return
    rights = list(_of_execution(deployment, role))
    decisions = _simulated(deployment, role, rights)
    if decisions is None:
        yield warning(
            f"What the execution role {role} may do can't be looked at.",
            "allow iam:SimulatePrincipalPolicy, or see the role's policies in AWS's console.",
        )
        return
    missing = [right for right in rights if not decisions.get(right.action)]
    for right in missing:
        yield fault(
            f"The execution role may not {right.action} on {', '.join(right.resources)}, so "
            "containers don't start.",
            f"allow {right.action} on that to {role}.",
        )
    if not missing:
        yield ok("The execution role may pull the image, write logs and read the secrets.")


def _of_execution(deployment: Deployment, role: str) -> Iterator[Right]:
    container = deployment.container()
    partition, account = role.split(":")[1], role.split(":")[4]
    if place := IN_ECR.fullmatch(str(container.get("image"))):
        repository = f"arn:{partition}:ecr:{place['region']}:{place['account']}:repository/"
        yield Right("ecr:GetAuthorizationToken", ["*"])
        for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
            yield Right(action, [f"{repository}{place['repository']}"])
    if group := log_group_of(container):
        logs = f"arn:{partition}:logs:{deployment.region}:{account}"
        stream = f"{logs}:log-group:{group}:log-stream:any"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            yield Right(action, [stream])
    sources = [str(one.get("valueFrom")) for one in members(container, "secrets")]
    places = [place["secret"] for one in sources if (place := SECRET.fullmatch(one))]
    if found := [_as_iam_knows_it(deployment, arn) for arn in places]:
        yield Right("secretsmanager:GetSecretValue", found)


def _as_iam_knows_it(deployment: Deployment, secret: str) -> str:
    try:
        return known_arn(deployment, secret) or secret
    except Exception:  # denied, or not reached: another check says so
        return secret


def _of_worker(deployment: Deployment) -> Iterator[Right]:
    identity = deployment.identity()
    partition, account = str(identity["Arn"]).split(":")[1], identity["Account"]
    prefix = f"arn:{partition}:batch:{deployment.region}:{account}"
    queue = _arn(prefix, "job-queue", settings.JOB_QUEUE)
    revision = f"{_plain(settings.JOB_DEFINITION)}:{NO_REVISION}"
    definition = _arn(prefix, "job-definition", revision)
    nothing = f"{prefix}:job/{NO_JOB}"
    submission = {
        "jobName": "batchexec-doctor",
        "jobQueue": settings.JOB_QUEUE,
        "jobDefinition": revision,
    }
    yield Right(
        "batch:SubmitJob",
        [queue, definition, nothing],
        lambda client: client.submit_job(**submission),
    )
    yield Right(
        "batch:TerminateJob",
        [nothing],
        lambda client: client.terminate_job(jobId=NO_JOB, reason=REASON),
    )
    yield Right(
        "batch:CancelJob", [nothing], lambda client: client.cancel_job(jobId=NO_JOB, reason=REASON)
    )
    yield Right(
        "batch:TagResource",
        [nothing],
        lambda client: client.tag_resource(resourceArn=nothing, tags={"doctor": "1"}),
    )
    yield Right(
        "batch:ListJobs",
        ["*"],
        lambda client: client.list_jobs(jobQueue=settings.JOB_QUEUE, maxResults=1),
    )
    yield Right("batch:DescribeJobs", ["*"], lambda client: client.describe_jobs(jobs=[NO_JOB]))
    for action, call in DESCRIPTIONS.items():
        yield Right(action, ["*"], partial(_described, call))


def _described(call: str, client: Any) -> object:
    return getattr(client, call)(maxResults=1)


def _is_denied(deployment: Deployment, right: Right) -> bool:
    """Any other answer means that it is allowed: AWS looks at rights first."""
    try:
        right.call(deployment.client("batch"))
    except exceptions.ClientError as error:
        return answers.is_denied(error)
    return False


def _simulated(
    deployment: Deployment, role: str, rights: Sequence[Right]
) -> dict[str, bool] | None:
    """Whether each action is allowed on all its resources; None if IAM says nothing."""
    decided: dict[str, bool] = {}
    try:
        for right in rights:
            answer = deployment.client("iam").simulate_principal_policy(
                PolicySourceArn=role,
                ActionNames=[right.action],
                ResourceArns=list(right.resources),
            )
            decided[right.action] = all(
                one.get("EvalDecision") == "allowed" for one in answer["EvaluationResults"]
            )
    except Exception:  # denied, or not reached: then a call says more
        return None
    return decided


def _role_of(arn: str) -> str:
    """The role behind an assumed role's ARN, or the user; empty for the root user.

    An assumed role's ARN lacks the role's path, with which IAM wants it.
    """
    parts = arn.split(":")
    if len(parts) < 6 or parts[5] == "root":
        return ""
    if parts[5].startswith("assumed-role/"):
        return f"{parts[0]}:{parts[1]}:iam::{parts[4]}:role/{parts[5].split('/')[1]}"
    return arn


def _plain(definition: str) -> str:
    return definition.rpartition("/")[2].partition(":")[0]


def _arn(prefix: str, kind: str, name: str) -> str:
    return name if name.startswith("arn:") else f"{prefix}:{kind}/{name}"
