"""Text from jobs made fit for a database, a log line or a terminal."""

from __future__ import annotations


def storable(text: str) -> str:
    """With lone surrogates and NUL escaped, which UTF-8 or PostgreSQL can't hold."""
    if type(text) is str and text.isascii() and "\x00" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def visible(text: str, keep: str = "") -> str:
    """With characters escaped that may steer a terminal, except those in `keep`."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else ascii(char)[1:-1] for char in text
    )


def one_line(text: object) -> str:
    """`text` on one line of a log, where nothing in it can pass for another line."""
    try:
        return visible(storable(str(text)))
    except Exception:
        return f"({type(text).__name__} without a text)"


def first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
