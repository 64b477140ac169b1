"""What the errors of boto3 mean."""

from __future__ import annotations

from http import HTTPStatus
from traceback import walk_tb
from typing import Any

from batchexec.aws import credentials
from batchexec.aws.boto import ResponseParserError, exceptions
from batchexec.aws.errors import (
    Denied,
    NotAccepted,
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
#: Statuses by which AWS judges what it was asked. Any other 4xx says nothing about
#: that: a request that came too slowly (408), a conflict that passes (409), an address
#: that isn't AWS Batch's (404, 405), a proxy that wants a password (407). Source: AWS
#: Batch API and AWS's Common Errors, which know only 400 and 403; RFC 9110.
JUDGED = frozenset({400, 401, 403, 413, 422})
#: AWS may have worked on a request that it says came too slowly.
TOO_SLOW = 408
#: AWS's code for that, whatever the status.
TOO_SLOW_CODES = {"RequestTimeout", "RequestTimeoutException"}
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


def is_passing(error: BaseException) -> bool:
    """Whether AWS may do it later: there were too many calls, or it is at fault."""
    if not isinstance(error, exceptions.ClientError):
        return False
    return is_throttling(error) or _status(error) >= HTTPStatus.INTERNAL_SERVER_ERROR


def is_denied(error: BaseException) -> bool:
    """Whether the credentials are good, but have no right to make this call."""
    return (
        isinstance(error, exceptions.ClientError)
        and _status(error) in (401, 403)
        and _is_awss(error)
        and _code(error) not in credentials.REFUSED_CREDENTIALS
    )


def is_refused(error: BaseException) -> bool:
    """Whether AWS finds a fault with what it was asked."""
    return (
        isinstance(error, exceptions.ClientError)
        and _status(error) in JUDGED
        and _is_awss(error)
        and not _is_too_slow(error)
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


def is_unreadable(error: BaseException) -> bool:
    """Whether what answered can't be AWS, because botocore can't parse the answer."""
    if isinstance(error, ResponseParserError):
        return True
    if isinstance(error, (exceptions.BotoCoreError, exceptions.ClientError, OSError)):
        return False
    # botocore has classes for its own errors; any other is one of its parser, or of
    # what that calls.
    return is_raised_within(error)


def is_raised_within(error: BaseException) -> bool:
    """Whether botocore, or what it called, has raised it."""
    places = (frame.f_globals.get("__name__") for frame, _ in walk_tb(error.__traceback__))
    return any(str(module).startswith("botocore.") for module in places)


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
    if is_refused(error):
        return Refused(f"AWS Batch refused the submission: {error}")
    if 400 <= _status(error) < 500 and not _is_too_slow(error):
        return NotAccepted(f"AWS Batch did not judge the submission: {error}")
    return Unknown(f"AWS Batch failed while it took the submission: {error}")


def _is_awss(error: BaseException) -> bool:
    """Whether the answer is AWS's own: those of a proxy on the way have no code of AWS.

    Then boto3 puts the status in its place.
    """
    return _code(error).isidentifier()


def _is_too_slow(error: BaseException) -> bool:
    return _status(error) == TOO_SLOW or _code(error) in TOO_SLOW_CODES


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
