"""Which errors say that a database can't be used now, so that a step is worth another
try.

A server that can't be reached, that is read-only after a failover, that starts or
stops, or has no connection, memory or disk left: all of these pass. A statement that is
wrong doesn't.
"""

from __future__ import annotations

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError

#: PostgreSQL's SQLSTATEs, or the beginnings of whole classes. Source: the PostgreSQL
#: documentation, appendix A, "PostgreSQL Error Codes".
SQLSTATES: dict[str, str] = {
    "08": "connection exception",
    "25006": "read only sql transaction: a standby, or a primary that was demoted",
    "25P03": "idle in transaction session timeout",
    "25P04": "transaction timeout",
    "40001": "serialization failure",
    "40P01": "deadlock detected",
    "53": "insufficient resources: too many connections, out of memory, disk full",
    "55P03": "lock not available",
    "57014": "query canceled: a statement timeout",
    "57P01": "admin shutdown",
    "57P02": "crash shutdown",
    "57P03": "cannot connect now",
    "57P05": "idle session timeout",
    "58": "system error: I/O",
}

#: SQLite's primary result codes. Source: the SQLite documentation, "Result and Error
#: Codes".
SQLITE: dict[int, str] = {
    5: "SQLITE_BUSY: database is locked",
    6: "SQLITE_LOCKED: database table is locked",
    8: "SQLITE_READONLY: attempt to write a readonly database",
    9: "SQLITE_INTERRUPT: interrupted",
    10: "SQLITE_IOERR: disk I/O error",
    13: "SQLITE_FULL: database or disk is full",
    14: "SQLITE_CANTOPEN: unable to open database file",
    15: "SQLITE_PROTOCOL: locking protocol",
}
#: The same before Python 3.11, whose errors have no code.
NOT_PASSING = (
    "no such ",
    "near ",
    "duplicate column",
    "too many SQL variables",
    "Could not decode ",
)

#: MongoDB's error codes. Source: the drivers' specification of retryable writes, and
#: the server's list of error codes.
MONGODB: dict[int, str] = {
    6: "HostUnreachable",
    7: "HostNotFound",
    24: "LockTimeout",
    50: "MaxTimeMSExpired",
    64: "WriteConcernTimeout",
    89: "NetworkTimeout",
    91: "ShutdownInProgress",
    100: "UnsatisfiableWriteConcern",
    112: "WriteConflict",
    133: "FailedToSatisfyReadPreference",
    134: "ReadConcernMajorityNotAvailableYet",
    189: "PrimarySteppedDown",
    202: "NetworkInterfaceExceededTimeLimit",
    262: "ExceededTimeLimit",
    9001: "SocketException",
    10058: "LegacyNotPrimary",
    10107: "NotWritablePrimary",
    11600: "InterruptedAtShutdown",
    11602: "InterruptedDueToReplStateChange",
    13435: "NotPrimaryNoSecondaryOk",
    13436: "NotPrimaryOrSecondary",
    14031: "OutOfDiskSpace",
}


def is_unavailable_sql(error: BaseException) -> bool:
    """For an error of Django's SQL backends."""
    if not isinstance(error, DatabaseError):
        return False
    cause = error.__cause__
    sqlstate = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if sqlstate:
        return sqlstate in SQLSTATES or sqlstate[:2] in SQLSTATES
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in SQLITE  # the low byte of an extended code is the primary one
    # Without a code: the connection broke, or none could be made.
    passing = isinstance(error, (OperationalError, InterfaceError))
    return passing and not str(error).startswith(NOT_PASSING)
