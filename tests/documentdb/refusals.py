"""What MongoDB calls an error: its code, its name and its labels, made of what the
engine raised.
"""

from __future__ import annotations

from typing import Any

import psycopg

TRANSIENT = "TransientTransactionError"
RETRYABLE = "RetryableWriteError"

WRITE_CONFLICT = 112
DUPLICATE_KEY = 11000
NAMES = {
    1: "InternalError",
    2: "BadValue",
    8: "UnknownError",
    9: "FailedToParse",
    14: "TypeMismatch",
    20: "IllegalOperation",
    26: "NamespaceNotFound",
    27: "IndexNotFound",
    28: "PathNotViable",
    40: "ConflictingUpdateOperators",
    43: "CursorNotFound",
    48: "NamespaceExists",
    52: "DollarPrefixedFieldName",
    59: "CommandNotFound",
    66: "ImmutableField",
    67: "CannotCreateIndex",
    72: "InvalidOptions",
    73: "InvalidNamespace",
    85: "IndexOptionsConflict",
    86: "IndexKeySpecsConflict",
    WRITE_CONFLICT: "WriteConflict",
    115: "CommandNotSupported",
    121: "DocumentValidationFailure",
    197: "InvalidIndexSpecificationOption",
    225: "TransactionTooOld",
    251: "NoSuchTransaction",
    256: "TransactionCommitted",
    263: "OperationNotSupportedInTransaction",
    10107: "NotWritablePrimary",
    10334: "BSONObjectTooLarge",
    DUPLICATE_KEY: "DuplicateKey",
    13435: "NotPrimaryNoSecondaryOk",
    11600: "InterruptedAtShutdown",
    11602: "InterruptedDueToReplStateChange",
    40324: "Location40324",
    40415: "Location40415",
}
#: The engine's SQLSTATEs for them, and PostgreSQL's own.
CODES = {
    "M0000": 1,
    "M0001": 2,
    "M0003": 9,
    "M0004": 14,
    "M0006": 20,
    "M0008": 26,
    "M0009": 27,
    "M000A": 28,
    "M000D": 40,
    "M000E": 43,
    "M000F": 48,
    "M000G": 52,
    "M000M": 66,
    "M000N": 67,
    "M000P": 72,
    "M000Q": 73,
    "M000R": 85,
    "M000S": 86,
    "M000U": 115,
    "M0012": 197,
    "M0016": 263,
    "M001B": 10334,
    "M001C": DUPLICATE_KEY,
    "M007U": 40324,
    "M0088": 40415,
    "M00CO": 121,
    "M00F1": WRITE_CONFLICT,
    "23505": DUPLICATE_KEY,
    "23P01": DUPLICATE_KEY,
    "40001": WRITE_CONFLICT,
    "40P01": WRITE_CONFLICT,
    "55P03": WRITE_CONFLICT,
    "25P02": 251,
    "25P04": 251,
}
#: After which a driver sends a retryable write a second time.
CHANGES_OF_PRIMARY = {6, 7, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436}


class Refused(Exception):
    """The reply to a command that failed."""

    def __init__(self, code: int, message: str, *labels: str):
        super().__init__(message)
        self.code = code
        self.labels = labels

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"ok": 0.0, "errmsg": str(self), "code": self.code}
        document["codeName"] = NAMES.get(self.code, f"Location{self.code}")
        if self.labels:
            document["errorLabels"] = list(self.labels)
        return document


class Gone(Exception):
    """The engine is away, or a test wants it so: the client's connection is closed
    without an answer.
    """


def refusal(error: psycopg.Error) -> Refused | Gone:
    """What the client is told of an error of the engine's."""
    state = error.sqlstate
    if state is None or state[:2] in ("08", "57") or state == "58P01":
        return Gone(str(error))
    code = CODES.get(state, 8)
    return Refused(code, text(code, f"{error.diag.message_primary} (SQLSTATE {state})"))


def text(code: int, message: str) -> str:
    """MongoDB's message begins with the code where the key is a duplicate, and some
    read it there.
    """
    return f"E11000 duplicate key error: {message}" if code == DUPLICATE_KEY else message


def code_of(number: int) -> int:
    """MongoDB's code of a write error, in which the engine packs the five characters of
    the SQLSTATE.
    """
    state = "".join(chr((number >> 6 * place & 0x3F) + ord("0")) for place in range(5))
    return CODES.get(state, number if number in NAMES else 8)


def readable(reply: dict[str, Any]) -> dict[str, Any]:
    """With MongoDB's codes in place of the engine's."""
    if "writeErrors" in reply:
        errors = [dict(error.items()) for error in reply["writeErrors"]]
        for error in errors:
            error["code"] = code_of(error["code"])
            error["errmsg"] = text(error["code"], error["errmsg"])
        reply["writeErrors"] = errors
    return reply
