"""Saves a process most of a second that MongoDB's Python packages cost it.

They spend it when the process starts and when it ends.
"""

from __future__ import annotations

import atexit
import os
from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured


class NoLibrary(os.PathLike[str]):
    """The GDAL_LIBRARY_PATH of a project without GeoDjango.

    django_mongodb_backend tries to import GeoDjango three times. If the library is
    missing, each attempt looks for it under a dozen names with a compiler and a linker.
    With this path, Django raises the same error as for a missing library at once.
    """

    def __fspath__(self) -> str:
        raise ImproperlyConfigured(
            'GDAL is not looked for, because INSTALLED_APPS is without "django.contrib.gis".'
        )


def leave_without_waiting() -> None:
    """Lets the process end without waiting for the driver's threads.

    They sleep half a second at a time, and the driver waits at exit until they wake up.
    They are daemons with nothing to clean up, so the wait is not needed.
    """
    # The function is private, so another version of the driver may not have it.
    with suppress(ImportError, AttributeError):
        from pymongo.synchronous import monitor

        atexit.unregister(monitor._shutdown_resources)
