"""The WSGI application that receives every request.

It refuses what a web page may have sent, applies faults and counts calls, answers calls
about jobs, and hands everything else to moto.
"""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import struct
import threading
from collections.abc import Iterable
from http.client import responses
from typing import Any, NoReturn
from urllib.parse import parse_qs

from batchexec.local.api import BatchApi
from batchexec.local.calls import Calls
from batchexec.local.cloud import Cloud, UnknownRegion
from batchexec.local.errors import ApiError, refuse
from batchexec.local.faults import CALL_KINDS, Fault, FaultError, Faults
from batchexec.local.guard import Guard
from batchexec.local.iam.access import Access
from batchexec.local.logs import Logs
from batchexec.local.replies import readable, refusal
from batchexec.local.rules import model
from batchexec.local.throttle import Throttle

logger = logging.getLogger(__name__)

CREDENTIAL = re.compile(r"Credential=[^/]*/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
ERROR_CODES = {
    400: "ClientException",
    403: "ExpiredTokenException",
    429: "TooManyRequestsException",
    500: "ServerException",
    503: "ServiceUnavailableException",
}
TAGS = "/v1/tags/"
TAG_OPERATIONS = {"GET": "ListTagsForResource", "DELETE": "UntagResource"}
STRIKES = {*CALL_KINDS, "status"} - {"latency"}

Answer = tuple[int, list[tuple[str, str]], bytes]


class Application:
    """Setting `closing` ends the waits that faults cause."""

    def __init__(
        self,
        guard: Guard,
        throttle: Throttle,
        access: Access,
        cloud: Cloud,
        api: BatchApi,
        faults: Faults,
        calls: Calls,
        logs: Logs,
    ):
        self.closing = threading.Event()
        self._guard = guard
        self._throttle = throttle
        self._access = access
        self._cloud = cloud
        self._api = api
        self._faults = faults
        self._calls = calls
        self._logs = logs

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        status, headers, content = self._answer(environ)
        headers = [pair for pair in headers if pair[0].lower() != "content-length"]
        headers.append(("Content-Length", str(len(content))))
        start_response(f"{status} {responses.get(status, 'Unknown')}", headers)
        return [content]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        if refusal := self._guard.refusal(environ):
            logger.warning("Refused a request for %r: %s", environ["PATH_INFO"], refusal)
            return _error(ApiError(403, "AccessDeniedException", refusal))
        length = environ.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdecimal()):
            return _error(refuse("Content-Length is not a number."))
        body = environ["wsgi.input"].read(int(length))
        if environ["PATH_INFO"] in ("/_faults", "/_calls"):
            return self._control(environ, body)
        return self._aws(environ, body)

    def _control(self, environ: dict[str, Any], body: bytes) -> Answer:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if (method, path) == ("POST", "/_faults"):
            try:
                specs = json.loads(body or b"[]")
                if not isinstance(specs, list):
                    raise FaultError("Faults are given as a JSON list of strings.")
                self._faults.replace(specs)
            except (ValueError, RecursionError) as error:
                return _json(400, {"message": str(error)})
        elif (method, path) == ("DELETE", "/_calls"):
            self._calls.reset()
        elif method != "GET":
            return _json(405, {"message": "GET and POST /_faults, GET and DELETE /_calls."})
        return _json(200, self._faults.show() if path == "/_faults" else self._calls.show())

    def _aws(self, environ: dict[str, Any], body: bytes) -> Answer:
        region, service, operation = self._identify(environ)
        self._calls.count(operation)
        if latency := self._faults.take(operation, {"latency"}):
            latency.hold(self.closing)
        fault = self._faults.take(operation, STRIKES)
        if fault and fault.kind == "hang-before":
            fault.hold(self.closing)
        answer = None
        if fault is None or fault.performs_call:
            answer = self._perform(environ, body, region, service, operation)
        reply = _reply(fault, answer)
        if reply and reply[0] >= 400:
            self._calls.refusal(operation, reply[0])
        if operation == "SubmitJob":
            self._note_submission(body, answer, reply[0] if reply else "reset")
        if fault and fault.kind == "hang-after":
            fault.hold(self.closing)
        return reply or reset(environ["werkzeug.socket"])

    def _identify(self, environ: dict[str, Any]) -> tuple[str, str, str]:
        """The region, service and operation that a request's headers and path name."""
        scope = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        region, service = (scope["region"], scope["service"]) if scope else ("us-east-1", "batch")
        path = environ["PATH_INFO"]
        if service == "batch":
            if path.startswith(TAGS):
                return region, service, TAG_OPERATIONS.get(environ["REQUEST_METHOD"], "TagResource")
            name = path.removeprefix("/v1/")
            return region, service, model.operations().get(name.lower(), name)
        return region, service, environ.get("HTTP_X_AMZ_TARGET", path).rpartition(".")[2]

    def _perform(
        self, environ: dict[str, Any], body: bytes, region: str, service: str, operation: str
    ) -> Answer:
        try:
            if service == "batch":
                self._throttle.admit()
                request = _request(environ, body)
                model.check(operation, request)
                self._access.check(operation, region, request)
                return _json(200, self._api.perform(operation, region, request, len(body)))
        except ApiError as error:
            return _error(error)
        except UnknownRegion as error:
            return _error(refuse(str(error)))
        if service == "logs":
            self._logs.copy()
        try:
            return readable(environ, service, self._ask_moto(environ, body))
        except NotImplementedError as error:
            logger.warning("moto lacks a call of %s: %s", service, error)
            return refusal(environ, service, 400, "InvalidAction", f"localbatch: {error}")

    def _ask_moto(self, environ: dict[str, Any], body: bytes) -> Answer:
        started: list[Any] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> None:
            started[:] = [int(status.split()[0]), headers]

        chunks = self._cloud({**environ, "wsgi.input": io.BytesIO(body)}, start_response)
        try:
            content = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        # moto invites every web page to read its answers.
        headers = [pair for pair in started[1] if not pair[0].lower().startswith("access-control-")]
        return started[0], headers, content

    def _note_submission(self, body: bytes, answer: Answer | None, reply: int | str) -> None:
        try:
            name = _parse(body).get("jobName")
        except ApiError:
            name = None
        job_id = None
        if answer is not None and answer[0] == 200:
            job_id = json.loads(answer[2])["jobId"]
        self._calls.submission(name, job_id, reply)


def _reply(fault: Fault | None, answer: Answer | None) -> Answer | None:
    """What to send, or None to reset the connection."""
    if fault and fault.status:
        code = fault.options.get("code") or ERROR_CODES.get(fault.status, "ServerException")
        return _error(ApiError(fault.status, code, f"The fault {fault.spec} says so."))
    return None if fault and fault.kind.startswith("reset") else answer


def reset(connection: socket.socket) -> NoReturn:
    """Makes the connection end with a TCP reset. Never returns."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError("A fault resets this connection.")


def _parse(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise refuse("The request's body is not JSON.") from None
    if not isinstance(request, dict):
        raise refuse("The request's body is not a JSON object.")
    return _without_nulls(request)


def _without_nulls(value: Any) -> Any:
    """A member that is null is one that isn't given."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _request(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The call's members, those in its path included."""
    request = _parse(body)
    path = environ["PATH_INFO"]
    if path.startswith(TAGS):
        request["resourceArn"] = path.removeprefix(TAGS)
        if keys := parse_qs(environ.get("QUERY_STRING", "")).get("tagKeys"):
            request["tagKeys"] = keys
    return request


def _json(status: int, value: Any) -> Answer:
    return status, [("Content-Type", "application/json")], json.dumps(value).encode()


def _error(error: ApiError) -> Answer:
    status, headers, content = _json(error.status, {"message": error.message})
    return status, [*headers, ("x-amzn-ErrorType", error.code)], content
