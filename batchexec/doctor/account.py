"""Where the deployment is, who asks, and whether the clocks agree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from batchexec.aws.boto import exceptions
from batchexec.doctor.deployment import Deployment
from batchexec.doctor.findings import Finding, fault, ok, warning

#: How far a clock may differ from AWS's, in seconds. Source: AWS refuses signatures
#: that are older than five minutes (Signature Version 4).
MOST_SKEW = 300
NOTABLE_SKEW = 30


def region(deployment: Deployment) -> Iterator[Finding]:
    """Without one, or in one that doesn't exist, no call can be made."""
    if not deployment.region:
        yield fault("AWS needs a region, and none is set.", "set AWS_REGION.")
    elif deployment.region not in deployment.regions():
        yield fault(
            f"AWS Batch has no region {deployment.region!r}.",
            "set AWS_REGION to the one of your queue, such as us-east-1.",
        )
    else:
        yield ok(f"The region is {deployment.region}.")


def identity(deployment: Deployment) -> Iterator[Finding]:
    answer = deployment.identity()
    arn = str(answer.get("Arn", ""))
    partition = arn.partition(":")[2].partition(":")[0]
    yield ok(f"AWS knows us as {arn}, in the partition {partition}.")
    if arn.endswith(":root"):
        yield warning(
            "These are the credentials of the account's root user.",
            "use a role, and keep the root user's keys nowhere.",
        )


def clock(deployment: Deployment) -> Iterator[Finding]:
    """AWS tells its time with each answer, with a refusal, too."""
    try:
        answer: dict[str, Any] = deployment.identity()
    except exceptions.ClientError as error:
        answer = error.response
    now = dt.datetime.now(dt.timezone.utc)
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not said:
        yield warning("AWS's answer has no Date.", "see whether a proxy takes it away.")
        return
    # It was said when the answer came, which is a moment ago, and in whole seconds.
    ahead = (now - parsedate_to_datetime(said)).total_seconds()
    text = f"This machine's clock and AWS's differ by {abs(ahead):.0f} s"
    if abs(ahead) >= MOST_SKEW:
        yield fault(f"{text}, so AWS refuses signatures.", "synchronise the clock (NTP).")
    elif abs(ahead) >= NOTABLE_SKEW:
        yield warning(f"{text}.", "synchronise the clock (NTP).")
    else:
        yield ok(f"{text}.")
