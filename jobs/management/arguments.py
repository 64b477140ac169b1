"""Types of command arguments.

Each function takes the text, and raises ArgumentTypeError with what it accepts.
"""

from __future__ import annotations

import datetime as dt
import re
from argparse import ArgumentParser, ArgumentTypeError

#: What begins with a minus and is a value: argparse takes all but plain numbers for
#: options, and then says that the value is missing.
NEGATIVE = re.compile(r"-\.?[0-9]")
HIGHEST_PORT = 65_535
UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = dt.timedelta(days=36_500)
MOST = 100_000
LONGEST_TEXT = 255


def duration(value: str) -> dt.timedelta:
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([smhd]?)", value)
    try:
        found = dt.timedelta(**{UNITS[match[2]]: float(match[1])}) if match else None
    except OverflowError:
        found = None
    if found is None or found > LONGEST:
        raise ArgumentTypeError(
            f"{value!r} is not a length of time: 7d, 12h, 30m, 45s, or seconds; at most 100 years."
        )
    return found


def take_negatives(parser: ArgumentParser) -> None:
    """Has the parser take `-1d` for a value, which the option's type then refuses."""
    parser._negative_number_matcher = NEGATIVE


def port(value: str) -> int:
    """1 to 65535."""
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= HIGHEST_PORT:
        raise ArgumentTypeError(
            f"{value!r} is not a port: a whole number from 1 to {HIGHEST_PORT}."
        )
    return int(value)


def port_or_any(value: str) -> int:
    """The same, or 0, which means any that is free."""
    return 0 if value == "0" else port(value)


def limit(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", value) or not 1 <= int(value) <= MOST:
        raise ArgumentTypeError(f"{value!r} is not a whole number between 1 and {MOST:,}.")
    return int(value)


def text(value: str) -> str:
    """Valid text, as long as a job's name at most: databases limit search patterns."""
    if len(value) > LONGEST_TEXT:
        raise ArgumentTypeError(f"it is longer than {LONGEST_TEXT} characters.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ArgumentTypeError(f"{value!r} is not valid text.") from None
    return value
