"""`python -m tests.versions record JUNIT DATABASE` adds a lane's result; `render`
writes the page.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.versions import page, results


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["record"] and len(arguments) == 3:
        results.record(results.of_this_environment(Path(arguments[1]), arguments[2]))
    elif arguments != ["render"]:
        sys.exit(__doc__)
    page.write()


main(sys.argv[1:])
