"""Errors as AWS answers them when it refuses a call."""

from __future__ import annotations

import uuid


class ApiError(Exception):
    """An HTTP status, AWS's error code, and a message for people."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def refuse(message: str) -> ApiError:
    """The ClientException that AWS Batch answers whatever is wrong with a request.

    Its message has another id each time, so no two are equal.
    """
    text = f"Error executing request, Exception : {message}, RequestId: {uuid.uuid4()}"
    return ApiError(400, "ClientException", text)
