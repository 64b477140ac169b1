"""What to do about credentials that can't be loaded, or that AWS refuses."""

from __future__ import annotations

import os

from batchexec.aws.boto import exceptions as aws

#: Codes of AWS for credentials that it doesn't take, whatever they are for. Source:
#: AWS API, Common Errors; STS.
REFUSED_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


def missing(error: BaseException) -> str:
    """What to do about an error that was raised before anything was sent to AWS Batch.

    In a sentence; empty if it says nothing about credentials, such as a network that is
    away while they are fetched.
    """
    if isinstance(error, aws.NoCredentialsError):
        return (
            "AWS credentials are missing: set AWS_PROFILE, "
            "or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role."
        )
    cure = _cure(error)
    if not cure:
        return ""
    text = str(error).strip().rstrip(".: ")
    return f"AWS credentials can't be loaded ({text}): {cure}."


def _cure(error: BaseException) -> str:
    if isinstance(error, aws.PartialCredentialsError):
        return "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if isinstance(error, _kinds("SSOError", "TokenRetrievalError", "NoAuthTokenError")):
        return f"run `aws sso login{_profile()}`"
    if isinstance(error, _kinds("LoginError")):
        return f"run `aws login{_profile()}`"
    if isinstance(error, _kinds("CredentialRetrievalError", "MetadataRetrievalError")):
        return _cure_of_provider(str(error))
    if isinstance(error, aws.ClientError):
        return f"allow the worker {error.operation_name}, or name another role"
    # botocore's errors of a connection are OSErrors, too, and say nothing of a token.
    if isinstance(error, OSError) and not isinstance(error, aws.BotoCoreError):
        return "mount the token that AWS_WEB_IDENTITY_TOKEN_FILE names"
    if isinstance(
        error,
        _kinds(
            "ConfigNotFound",
            "ConfigParseError",
            "InvalidConfigError",
            "MissingDependencyException",
            "ProfileNotFound",
            "RefreshWithMFAUnsupportedError",
            "UnknownCredentialError",
            "UnknownTokenProviderError",
        ),
    ):
        return "mend AWS_PROFILE, or the file that AWS_CONFIG_FILE names"
    return ""


def _cure_of_provider(text: str) -> str:
    if "custom-process" in text:
        return "mend the credential_process of the profile"
    if "container" in text:
        return (
            "give the task a role, and let it reach the address in "
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI"
        )
    return "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role"


def _kinds(*names: str) -> tuple[type[BaseException], ...]:
    """Those that this version of botocore has."""
    return tuple(kind for name in names if (kind := getattr(aws, name, None)))


def _profile() -> str:
    profile = os.environ.get("AWS_PROFILE")
    return f" --profile {profile}" if profile else ""
