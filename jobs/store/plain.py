"""Which statements leave a database session as it was.

Known ones do. Every other statement may have changed it, a call of an unknown function
included: the connection on which a job sent one is not used again.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from django.db.models import Func

#: With these, a statement begins that changes rows or its own transaction at most.
# fmt: off
HARMLESS = {
    "ANALYZE", "BEGIN", "COMMIT", "COPY", "DELETE", "EXPLAIN", "INSERT", "LOCK", "MERGE",
    "NOTIFY", "RELEASE", "REPLACE", "ROLLBACK", "SAVEPOINT", "SELECT", "TRUNCATE", "UPDATE",
    "VALUES", "WITH",
}
# fmt: on
#: Words that a parenthesis may follow and that call nothing, functions that Django
#: writes into its statements by themselves, and locks that end with the transaction.
# fmt: off
KNOWN_CALLS = frozenset({
    "all", "and", "any", "array", "array_length", "array_position", "as", "between", "by",
    "cardinality", "cast", "conflict", "cross", "date", "date_bin", "date_part", "date_trunc",
    "digest", "distinct", "else", "encode", "except", "exists", "extract", "filter", "from",
    "get_byte", "group", "having", "host", "in", "intersect", "is", "join",
    "jsonb_array_length", "jsonb_build_object", "jsonb_extract_path", "jsonb_extract_path_text",
    "lateral", "left", "like", "lower", "lpad", "make_interval", "nextval", "not", "now", "on",
    "or", "order", "outer", "over", "overlay", "partition", "pg_advisory_xact_lock",
    "pg_get_serial_sequence", "pg_try_advisory_xact_lock", "phraseto_tsquery",
    "plainto_tsquery", "position", "random", "recursive", "returning", "row", "select", "set",
    "setval", "setweight", "statement_timestamp", "strpos", "substring", "then", "timezone",
    "to_char", "to_json", "to_jsonb", "to_tsquery", "trim", "union", "unnest", "upper", "using",
    "values", "websearch_to_tsquery", "when", "where", "with", "within",
})
# fmt: on
#: Longer texts are looked at each time, because to keep them takes too much memory.
LONGEST_KEPT = 2_000

_FIRST = re.compile(r"(?:[\s(]|/\*.*?\*/|--[^\n]*\n)*([a-z]+)", re.IGNORECASE | re.DOTALL)
_OF_TRANSACTION = re.compile(r"\s*SET\s+(?:CONSTRAINTS|LOCAL|TRANSACTION)\b", re.IGNORECASE)
_INSERTED_INTO = re.compile(
    r"\b(?:INSERT|REPLACE|MERGE)\s+INTO\s+(?:\"[^\"]*\"|`[^`]*`|[\w.$])+", re.IGNORECASE
)
_INTO = re.compile(r"\bINTO\b", re.IGNORECASE)
_CALLED = re.compile(r"(\b\w+|\"[^\"]*\"|`[^`]*`)\s*\(")


def is_plain(sql: object, vendor: str) -> bool:
    """Whether the statement leaves the session as it was, by its text.

    A text in a driver's own format isn't looked into, so it counts as one that doesn't.
    """
    if not isinstance(sql, str):
        return False
    return _kept(sql, vendor) if len(sql) <= LONGEST_KEPT else _is_plain(sql, vendor)


def _is_plain(sql: str, vendor: str) -> bool:
    if ";" in sql.rstrip().rstrip(";"):
        return False  # several statements, perhaps
    if _OF_TRANSACTION.match(sql):
        return True
    first = _FIRST.match(sql)
    if first is None or first[1].upper() not in HARMLESS:
        return False
    if vendor == "sqlite":
        return True  # whose functions are code of this process
    rest = _without_last_comment(_INSERTED_INTO.sub("", sql[first.start(1) :]))
    # A comment can stand between a function and its parenthesis. SELECT … INTO makes a
    # table, which may be a temporary one.
    if "/*" in rest or "--" in rest or _INTO.search(rest):
        return False
    unknown = _called(rest) - KNOWN_CALLS
    return not unknown or unknown <= _functions_of_django()


def _without_last_comment(sql: str) -> str:
    """Tools write there where a statement comes from. Without a parenthesis, it can
    hide no call.
    """
    sql = sql.rstrip("; \n\t")
    at = sql.rfind("/*")
    is_last = at >= 0 and sql.endswith("*/") and "(" not in sql[at:]
    return sql[:at] if is_last else sql


_kept = lru_cache(maxsize=1024)(_is_plain)


def _called(sql: str) -> set[str]:
    return {name.strip('"`').lower() for name in _CALLED.findall(sql)}


def _functions_of_django() -> set[str]:
    """Of its expressions, as far as they are imported; all of them only compute."""
    found: set[str] = set()
    classes: list[Any] = [Func]
    while classes:
        one = classes.pop()
        classes += one.__subclasses__()
        if one.__module__.startswith("django.") and one.function:
            found.add(one.function.lower())
    return found
