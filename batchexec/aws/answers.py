"""What the errors of boto3 mean."""

from __future__ import annotations

from typing import Any

from batchexec.aws import credentials
from batchexec.aws.boto import exceptions
from batchexec.aws.errors import (
    Denied,
    NotConfigured,
    NotReached,
    Refused,
    Rejected,
    Throttled,
    Unknown,
)
from jobs.exceptions import JobError

#: AWS's codes for "too many calls".
TOO_MANY = {
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "RequestThrottled",
}
#: The connection to AWS Batch was never made. An SSLError isn't among them, because it
#: may also come while the reply is read.
NO_CONNECTION = (
    exceptions.EndpointConnectionError,
    exceptions.ConnectTimeoutError,
    exceptions.ProxyConnectionError,
)


class NothingSent(NotConfigured):
    """Credentials can't be loaded, so no call reaches AWS."""


def is_throttling(error: BaseException) -> bool:
    """Whether AWS refused the call because there were too many."""
    if not isinstance(error, exceptions.ClientError):
        return False
    return _code(error) in TOO_MANY or _status(error) == 429


def is_denied(error: BaseException) -> bool:
    """Whether the credentials are good, but have no right to make this call."""
    return (
        isinstance(error, exceptions.ClientError)
        and _status(error) in (401, 403)
        and _code(error) not in credentials.REFUSED_CREDENTIALS
    )


def is_refused(error: BaseException) -> bool:
    """Whether AWS finds a fault with what it was asked."""
    return (
        isinstance(error, exceptions.ClientError)
        and 400 <= _status(error) < 500
        and not is_throttling(error)
        and not configuration_error(error)
    )


def configuration_error(error: BaseException) -> str:
    """What to do about missing rights or credentials, in a sentence.

    Empty if the error means something else.
    """
    if isinstance(error, NotConfigured):
        return str(error)
    if (
        isinstance(error, exceptions.ClientError)
        and _code(error) in credentials.REFUSED_CREDENTIALS
    ):
        return f"AWS refuses these credentials: {error}"
    if is_denied(error):
        return f"AWS denies this, so allow it to the worker's role: {error}"
    return ""


def is_about_credentials(error: BaseException) -> bool:
    """Whether no call at all will do with these credentials."""
    return bool(configuration_error(error)) and not is_denied(error)


def of_submission(error: Exception, *, sent: bool) -> JobError:
    """What an error of SubmitJob means. `sent`: whether the request has left us."""
    if isinstance(error, exceptions.ParamValidationError):
        return Rejected(f"The submission isn't valid: {error}")
    if not sent:
        return NotReached(configuration_error(error) or f"Nothing was sent to AWS Batch: {error}")
    if isinstance(error, NO_CONNECTION):
        return NotReached(f"AWS Batch was not reached: {error}")
    if not isinstance(error, exceptions.ClientError):
        # The connection was reset or broke, timed out, or the reply can't be read.
        return Unknown(f"The reply to the submission was lost: {error}")
    if is_throttling(error):
        return Throttled(f"AWS Batch is throttling: {error}")
    if is_denied(error):
        return Denied(configuration_error(error))
    if text := configuration_error(error):
        return NotReached(text)
    if 400 <= _status(error) < 500:
        return Refused(f"AWS Batch refused the submission: {error}")
    return Unknown(f"AWS Batch failed while it took the submission: {error}")


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
