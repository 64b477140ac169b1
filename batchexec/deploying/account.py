"""The account and region that a deployment is made in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from batchexec.aws import credentials
from batchexec.aws.boto import Config, boto3, exceptions
from batchexec.aws.errors import NotConfigured

#: Reads are repeated through throttling; no write here does harm when it is repeated.
CONFIG = {"retries": {"total_max_attempts": 8, "mode": "standard"}}


@dataclass(frozen=True)
class Account:
    """Where we are, as AWS says, and clients of its services there."""

    session: Any
    region: str
    number: str
    partition: str
    user: str

    @classmethod
    def current(cls) -> Account:
        """The account of the credentials.

        Raises NotConfigured without a region or credentials that AWS takes.
        """
        try:
            session = boto3.session.Session()
            region = os.environ.get("AWS_REGION") or session.region_name
            if not region:
                raise NotConfigured("A deployment needs a region: set AWS_REGION.")
            if region not in _regions(session):
                raise NotConfigured(
                    f"boto3 knows no region {region!r} that has AWS Batch: mend AWS_REGION, or "
                    "update boto3."
                )
            sts = session.client("sts", region_name=region, config=Config(**CONFIG))
            answer = sts.get_caller_identity()
        except exceptions.ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
                raise NotConfigured(f"AWS can't be asked who you are: {error}") from error
            raise NotConfigured(f"AWS refuses these credentials: {error}") from error
        except (exceptions.BotoCoreError, OSError) as error:
            text = credentials.missing(error) or f"AWS can't be asked who you are: {error}"
            raise NotConfigured(f"{text.rstrip('.')}.") from error
        partition = str(answer["Arn"]).split(":")[1]
        return cls(session, region, str(answer["Account"]), partition, str(answer["Arn"]))

    def client(self, service: str) -> Any:
        """A client of that service in the region."""
        return self.session.client(service, region_name=self.region, config=Config(**CONFIG))

    @cached_property
    def registry(self) -> str:
        """The host of the account's ECR."""
        ending = "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"
        return f"{self.number}.dkr.ecr.{self.region}.{ending}"


def _regions(session: Any) -> set[str]:
    return {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("batch", partition_name=partition)
    }
