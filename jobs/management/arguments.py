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
MOST_LINES = 10_000
LONGEST_TEXT = 255
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 3600.0


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


def pause(value: str) -> float:
    """Seconds between two looks at something."""
    match = re.fullmatch(r"[0-9]{1,4}(?:\.[0-9]{1,3})?", value)
    if match is None or not SHORTEST_PAUSE <= float(value) <= LONGEST_PAUSE:
        raise ArgumentTypeError(
            f"{value!r} is not a number of seconds from {SHORTEST_PAUSE:g} to {LONGEST_PAUSE:g}."
        )
    return float(value)


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


def log_lines(value: str) -> int:
    """No more than CloudWatch Logs gives at once."""
    found = limit(value)
    if found > MOST_LINES:
        raise ArgumentTypeError(f"{value!r} is more than {MOST_LINES:,} lines.")
    return found


def name(value: str) -> str:
    """A text that isn't empty, which a variable of the shell is that isn't set."""
    if not value.strip():
        raise ArgumentTypeError("it is empty: leave it out, or name one.")
    return text(value)


def text(value: str) -> str:
    """Valid text, as long as a job's name at most: databases limit search patterns."""
    if len(value) > LONGEST_TEXT:
        raise ArgumentTypeError(f"it is longer than {LONGEST_TEXT} characters.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ArgumentTypeError(f"{value!r} is not valid text.") from None
    return value
