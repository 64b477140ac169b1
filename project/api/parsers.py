"""Request bodies. UTF-8 is the only encoding, and what can't be read is a ParseError: 400 with one clear sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import TooManyFieldsSent
from django.core.files.uploadhandler import FileUploadHandler
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from project.api import bodies


# From `request.body`, not from the stream, because Django limits its size.
class JSONParser(parsers.JSONParser):
    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return bodies.read_json(parser_context["request"].body)


class FormParser(parsers.FormParser):
    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return bodies.read_form(parser_context["request"].body)


class MultiPartParser(parsers.MultiPartParser):
    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        request = parser_context["request"]  # type: ignore[index]
        request.upload_handlers = [_NoFiles(request)]
        try:
            # Django replaces what it can't decode. Latin-1 lets every byte through, to be decoded strictly below.
            form = (
                super().parse(stream, media_type, {"request": request, "encoding": "latin-1"}).data
            )
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
