#!/usr/bin/env python
"""Django's command line for this project: `python manage.py help`."""

import gc
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    # Loading the apps makes little garbage. ProjectConfig switches it on again.
    gc.disable()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
