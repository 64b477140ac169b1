"""Refusals of services other than AWS Batch, in the protocol that the caller reads."""

from __future__ import annotations

import json
import uuid
from typing import Any
from xml.sax.saxutils import escape

Reply = tuple[int, list[tuple[str, str]], bytes]

#: What the callers of the query protocols send, and of no others.
FORM = "application/x-www-form-urlencoded"


def refusal(environ: dict[str, Any], service: str, status: int, code: str, message: str) -> Reply:
    """XML for the query protocols (CloudFormation, IAM, STS, EC2), else JSON."""
    if not _is_query(environ):
        content = json.dumps({"__type": code, "message": message}).encode()
        return status, [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)], content
    error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    request = f"<RequestId>{uuid.uuid4()}</RequestId>"
    if service == "ec2":
        text = f"<Response><Errors>{error}</Errors>{request}</Response>"
    else:
        text = f"<ErrorResponse>{error}{request}</ErrorResponse>"
    return status, [("Content-Type", "text/xml")], text.encode()


def readable(environ: dict[str, Any], service: str, reply: Reply) -> Reply:
    """The reply; a refusal in JSON that the caller can't read is made XML.

    moto's CloudFormation passes on what the service says whose resource it makes.
    """
    status, _, content = reply
    if status < 400 or not _is_query(environ) or not content.startswith(b"{"):
        return reply
    try:
        said = json.loads(content)
    except ValueError:
        return reply
    code = str(said.get("__type") or "ValidationError")
    text = str(said.get("message") or said.get("Message") or content.decode(errors="replace"))
    return refusal(environ, service, status, code, text)


def _is_query(environ: dict[str, Any]) -> bool:
    return str(environ.get("CONTENT_TYPE", "")).startswith(FORM)
