#!/usr/bin/env python
"""Django's command line for this project: `python manage.py help`."""

import gc
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    # Loading the apps makes little garbage. ProjectConfig switches it on again.
    gc.disable()
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The settings are wrong: {error}")


if __name__ == "__main__":
    main()
