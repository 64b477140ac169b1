"""The quotas of the account against what may run at once."""

from __future__ import annotations

from collections.abc import Iterator

from batchexec.conf import settings
from batchexec.doctor.asked import asked
from batchexec.doctor.deployment import Deployment, code_of
from batchexec.doctor.findings import Finding, fault, member, ok, warning

#: The quotas on Fargate's vCPUs, by the type of compute environment. Source: Service
#: Quotas, service `fargate`.
CODES = {"FARGATE": "L-3032A538", "FARGATE_SPOT": "L-36FBB829"}
#: SubmitJob a second, in an account and region. Source: AWS Batch, service quotas.
SUBMISSIONS = 50


def fargate(deployment: Deployment) -> Iterator[Finding]:
    wanted: dict[str, float] = {}
    for environment in deployment.environments():
        resources = member(environment, "computeResources")
        kind = str(resources.get("type"))
        if kind in CODES:
            wanted[kind] = wanted.get(kind, 0) + float(resources.get("maxvCpus") or 0)
    largest_of, largest = asked(deployment.definition())[0]
    for kind, vcpus in wanted.items():
        limit = _limit(deployment, CODES[kind])
        if limit is None:
            yield warning(
                f"This can't be looked at: Service Quotas doesn't know Fargate's ({kind}).",
                "see Service Quotas > AWS Fargate in AWS's console.",
            )
        elif limit < largest:
            yield fault(
                f"The account may use {limit:g} vCPU of {kind} at once, and {largest_of} asks for "
                f"{largest:g}, so it stays RUNNABLE.",
                f"ask for more: Service Quotas > AWS Fargate > {CODES[kind]}.",
            )
        elif limit < vcpus:
            yield warning(
                f"The account may use {limit:g} vCPU of {kind} at once, fewer than the "
                f"{vcpus:g} of the compute environments: jobs beyond that wait as RUNNABLE.",
                f"ask for more: Service Quotas > AWS Fargate > {CODES[kind]}.",
            )
        else:
            yield ok(f"The account may use {limit:g} vCPU of {kind} at once.")


def submissions(deployment: Deployment) -> Iterator[Finding]:
    rate = float(settings.SUBMIT_RATE)
    if not 0 < rate <= SUBMISSIONS:
        said = f"{rate:g} a second" if rate else "as fast as it can"
        yield warning(
            f"One worker process submits {said}, and AWS Batch takes {SUBMISSIONS} a second of an "
            "account and region.",
            f"set BATCHEXEC_SUBMIT_RATE to {SUBMISSIONS} divided by the number of processes.",
        )
    else:
        yield ok(
            f"{SUBMISSIONS // rate:g} worker processes can submit {rate:g} a second each: AWS "
            f"Batch takes {SUBMISSIONS} of an account and region."
        )


def _limit(deployment: Deployment, code: str) -> float | None:
    try:
        answer = deployment.client("service-quotas").get_service_quota(
            ServiceCode="fargate", QuotaCode=code
        )
    except Exception as error:
        if code_of(error) in ("NoSuchResourceException", "ResourceNotFoundException"):
            return None
        raise
    return float(answer["Quota"]["Value"])
