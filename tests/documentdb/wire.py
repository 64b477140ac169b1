"""MongoDB's wire protocol: bytes to commands, and documents to bytes."""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

#: What is inside a command or a reply is passed on as it came, and only looked at where
#: it matters.
RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
CHECKSUM_PRESENT, MORE_TO_COME = 1, 2
HEADER = struct.Struct("<iiii")
LENGTH = struct.Struct("<i")
MAX_MESSAGE = 48_000_000

_numbers = itertools.count(1)


class Malformed(Exception):
    """The client doesn't speak the protocol: there is nothing to answer."""


@dataclass(frozen=True)
class Request:
    number: int
    command: dict[str, Any]
    #: The handshake, which a driver asks in the old way, because it doesn't know the
    #: server yet.
    legacy: bool = False
    #: False where the client asked for no acknowledgement.
    answered: bool = True

    @property
    def name(self) -> str:
        """The command's name in small letters: drivers write it in several ways."""
        return next(iter(self.command)).lower()


def receive(client: socket.socket) -> Request | None:
    """The next request, None where the client has closed. Raises Malformed."""
    head = _read(client, HEADER.size)
    if not head:
        return None
    length, number, _, kind = HEADER.unpack(head)
    if not HEADER.size < length <= MAX_MESSAGE:
        raise Malformed(f"a message of {length} bytes")
    body = _read(client, length - HEADER.size)
    if kind == OP_QUERY:
        # Flags, the collection's name, and two numbers that a command doesn't need.
        return Request(number, items(body[body.index(b"\0", 4) + 9 :]), legacy=True)
    if kind != OP_MSG:
        raise Malformed(f"a message of kind {kind}")
    flags = struct.unpack_from("<I", body)[0]
    sections = body[4 : -4 if flags & CHECKSUM_PRESENT else None]
    return Request(number, _command(sections), answered=not flags & MORE_TO_COME)


def reply(request: Request, document: Mapping[str, Any]) -> bytes:
    payload = bson.encode(document)
    if request.legacy:
        kind, body = OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + payload
    else:
        kind, body = OP_MSG, struct.pack("<IB", 0, 0) + payload
    return HEADER.pack(HEADER.size + len(body), next(_numbers), request.number, kind) + body


def items(document: bytes) -> dict[str, Any]:
    """The document's own fields; the documents inside stay as they are."""
    return dict(bson.decode(document, RAW).items())


def _command(sections: bytes) -> dict[str, Any]:
    """The command's document, with the sequences of documents that came beside it in
    their places.
    """
    command: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    position = 0
    while position < len(sections):
        kind, start = sections[position], position + 1
        position = start + LENGTH.unpack_from(sections, start)[0]
        if kind == 0:
            command = items(sections[start:position])
        else:
            end = sections.index(b"\0", start + LENGTH.size)
            name = sections[start + LENGTH.size : end].decode()
            beside[name] = bson.decode_all(sections[end + 1 : position], RAW)
    return {**command, **beside}


def _read(client: socket.socket, length: int) -> bytes:
    """`length` bytes, none where the client has closed before the first."""
    parts = bytearray()
    while len(parts) < length:
        part = client.recv(min(length - len(parts), 1 << 20))
        if not part:
            if parts:
                raise Malformed("a message that breaks off")
            return b""
        parts += part
    return bytes(parts)
