"""The image: whether it is in ECR, for the processor that the definition names."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

from batchexec.aws.placement import platform_of
from batchexec.doctor.deployment import READ_TIMEOUT, Deployment, code_of
from batchexec.doctor.findings import Finding, fault, member, members, ok, warning
from batchexec.sizes import FARGATE

#: `<account>.dkr.ecr.<region>.<ending>/<repository>[:tag][@digest]`.
IN_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+/"
    r"(?P<repository>[a-z0-9._/-]+?)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
#: What ECR calls what isn't there.
GONE = ("RepositoryNotFoundException", "ImageNotFoundException")
#: What the definition calls a processor, and what an image does.
ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
INDEXES = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
]
MANIFESTS = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]
#: Of an image's configuration, in bytes.
LARGEST_CONFIGURATION = 4 * 2**20


def image(deployment: Deployment) -> Iterator[Finding]:
    name = str(deployment.container().get("image") or "")
    place = IN_ECR.fullmatch(name)
    if not place:
        yield warning(
            f"The image {name!r} is not in ECR, so whether it exists can't be looked at.",
            "push it to ECR (manage.py batchexec push), and name it by its digest.",
        )
        return
    if not place["digest"]:
        yield warning(
            f"The image {name} is named by a tag, so what it is can change.",
            "name it by its digest: …/repository@sha256:….",
        )
    if place["region"] != deployment.region:
        yield warning(
            f"The image is in {place['region']}, and jobs run in {deployment.region}: each start "
            "pulls it from afar.",
            f"push it to ECR in {deployment.region}.",
        )
        return
    try:
        found = _manifest(deployment, place)
    except Exception as error:
        if code_of(error) not in GONE:
            raise
        found = None
    if found is None:
        yield fault(
            f"ECR has no image {name}, so containers don't start (CannotPullContainerError).",
            "push it (manage.py batchexec push), and register its digest in the definition.",
        )
        return
    yield ok(f"The image {name} is in ECR.")
    yield from _architecture(deployment, place, found)


def _manifest(deployment: Deployment, place: re.Match[str]) -> dict[str, Any] | None:
    which = {"imageDigest": place["digest"]} if place["digest"] else {"imageTag": place["tag"]}
    if not place["digest"] and not place["tag"]:
        which = {"imageTag": "latest"}
    answer = deployment.client("ecr").batch_get_image(
        registryId=place["account"],
        repositoryName=place["repository"],
        imageIds=[which],
        acceptedMediaTypes=[*INDEXES, *MANIFESTS],
    )
    for one in answer.get("images") or ():
        found = json.loads(one.get("imageManifest") or "{}")
        return found if isinstance(found, dict) else {}
    return None


def _architecture(
    deployment: Deployment, place: re.Match[str], manifest: dict[str, Any]
) -> Iterator[Finding]:
    platform = member(deployment.container(), "runtimePlatform")
    wanted = str(platform.get("cpuArchitecture") or "X86_64")
    if platform_of(deployment.queue(), deployment.definition()) != FARGATE and not platform:
        yield ok("On EC2, the image must be for the processor of the machines.")
        return
    if wanted not in ARCHITECTURES:
        yield fault(
            f"The definition's cpuArchitecture is {wanted!r}.",
            "set runtimePlatform.cpuArchitecture to X86_64 or ARM64.",
        )
        return
    found = _architectures(deployment, place, manifest)
    expected = ARCHITECTURES[wanted]
    if not found:
        yield warning(
            "The image doesn't say for which processor it is.",
            f"build it with docker buildx build --platform linux/{expected}.",
        )
    elif expected in found:
        yield ok(f"The image is for {wanted}, as the definition says.")
    else:
        yield fault(
            f"The image is for {', '.join(sorted(found))}, and the definition says {wanted}, so "
            "containers fail with `exec format error`.",
            f"build it with docker buildx build --platform linux/{expected}, or set "
            "runtimePlatform.cpuArchitecture.",
        )


def _architectures(
    deployment: Deployment, place: re.Match[str], manifest: dict[str, Any]
) -> set[str]:
    listed = {
        str(member(one, "platform").get("architecture")) for one in members(manifest, "manifests")
    }
    if listed := listed - {"None", "unknown"}:  # "unknown": an attestation
        return listed
    digest = member(manifest, "config").get("digest")
    if not digest:
        return set()
    answer = deployment.client("ecr").get_download_url_for_layer(
        registryId=place["account"], repositoryName=place["repository"], layerDigest=digest
    )
    return architecture_at(str(answer["downloadUrl"]))


def architecture_at(url: str) -> set[str]:
    """What the image's configuration at that address says."""
    if not url.startswith(("https://", "http://127.0.0.1:")):
        return set()
    with urllib.request.urlopen(url, timeout=READ_TIMEOUT) as answer:  # noqa: S310
        found = json.loads(answer.read(LARGEST_CONFIGURATION))
    said = found.get("architecture") if isinstance(found, dict) else None
    return {str(said)} if said else set()
