"""boto3, or one sentence that says how to install it."""

from __future__ import annotations

try:
    import boto3
    from botocore import exceptions
    from botocore.config import Config
    from botocore.parsers import ResponseParserError
except ImportError as error:
    raise ImportError(
        "AWS Batch needs boto3: pip install 'django-delayed-batch[batch]'."
    ) from error

__all__ = ["Config", "ResponseParserError", "boto3", "exceptions"]
