"""Request bodies: JSON and forms, in UTF-8 only.

A body that can't be read raises ParseError, which is a 400 with one clear sentence.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import TooManyFieldsSent
from django.core.files.uploadhandler import FileUploadHandler
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from project.api import bodies

Context = Mapping[str, Any] | None


class JSONParser(parsers.JSONParser):
    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Context = None
    ) -> Any:
        return bodies.read_json(_body(parser_context))


class FormParser(parsers.FormParser):
    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Context = None
    ) -> Any:
        return bodies.read_form(_body(parser_context))


class MultiPartParser(parsers.MultiPartParser):
    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Context = None
    ) -> Any:
        request = _request(parser_context)
        request.upload_handlers = [_NoFiles(request)]
        stream = io.BytesIO(_body(parser_context))
        # Django replaces bytes that it can't decode. Latin-1 lets every byte through,
        # so that they can be decoded strictly below.
        context = {"request": request, "encoding": "latin-1"}
        try:
            form = super().parse(stream, media_type, context).data
            pairs = [
                (key, value.encode("latin-1").decode())
                for key, values in form.lists()
                for value in values
            ]
        except TooManyFieldsSent:
            raise ParseError("This form has too many fields.") from None
        except UnicodeError:
            raise ParseError("This form is not UTF-8.") from None
        return bodies.nest(pairs)


class _NoFiles(FileUploadHandler):
    """Refuses a file before a byte of it is stored."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise ParseError("This form has a file: send it as a plain field.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None: ...

    def file_complete(self, file_size: int) -> None: ...


def _request(context: Context) -> Any:
    assert context is not None, "REST framework calls a parser with the request."
    return context["request"]


def _body(context: Context) -> bytes:
    """The request's body. Django limits its size, which it doesn't do for a stream.

    A client that hangs up in the middle leaves a body that may look complete, so its
    length must be the one that was announced.
    """
    request = _request(context)
    body: bytes = request.body
    if len(body) < int(request.META.get("CONTENT_LENGTH") or 0):
        raise ParseError("The body ended early.")
    return body
