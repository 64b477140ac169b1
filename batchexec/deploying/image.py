"""The image of a release: a digest in a repository of ECR."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batchexec.aws.boto import exceptions
from batchexec.deploying.account import Account
from batchexec.deploying.templates import shown

HOST = r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
IMAGE = re.compile(rf"{HOST}/(?P<repository>[a-z0-9._/-]+)@(?P<digest>sha256:[0-9a-f]{{64}})")
DENIED = ("AccessDenied", "AccessDeniedException")


@dataclass(frozen=True)
class Image:
    """An image in ECR, by its digest."""

    text: str
    account: str
    region: str
    repository: str
    digest: str

    @classmethod
    def of(cls, text: str) -> Image:
        """Raises ValueError, in a sentence, for what doesn't name one image."""
        if found := IMAGE.fullmatch(text):
            return cls(text=text, **found.groupdict())
        if re.fullmatch(rf"{HOST}/[a-z0-9._/-]+(?::[\w.-]+)?", text):
            raise ValueError(
                f"--image {shown(text)} has no digest, and a tag may mean another image tomorrow: "
                "add @sha256:… as `batchexec push --run` prints it."
            )
        if re.fullmatch(rf"{HOST}/.*@.*", text):
            raise ValueError(
                f"--image {shown(text)} doesn't end with a digest: sha256: and 64 digits from 0 "
                "to f."
            )
        raise ValueError(
            f"--image {shown(text)} is not in ECR: push it there, see `batchexec push`, and name "
            "it as 111122223333.dkr.ecr.us-east-1.amazonaws.com/name@sha256:…"
        )

    def arn(self, partition: str) -> str:
        """The ARN of its repository."""
        return f"arn:{partition}:ecr:{self.region}:{self.account}:repository/{self.repository}"

    def problem(self, account: Account) -> str:
        """Why containers in the account couldn't use it, in a sentence.

        Empty if they can, or if we may not look.
        """
        if self.region != account.region:
            return (
                f"--image is in {self.region}, but the deployment is in {account.region}: push it "
                "to a repository there, because each start would pay for the way."
            )
        if not self.text.partition("/")[0].endswith(account.registry.partition(".")[2]):
            return (
                f"--image: ECR's hosts in {account.region} end with "
                f"{account.registry.partition('.')[2]}, not as that of this one."
            )
        try:
            account.client("ecr").describe_images(
                registryId=self.account,
                repositoryName=self.repository,
                imageIds=[{"imageDigest": self.digest}],
            )
        except exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            if code == "RepositoryNotFoundException":
                return f"--image: there is no repository {self.repository!r}: see `batchexec push`."
            if code == "ImageNotFoundException":
                return (
                    f"--image: the repository {self.repository!r} has no image {self.digest}: "
                    "push it, see `batchexec push`."
                )
            if code not in DENIED:
                raise
        return ""
