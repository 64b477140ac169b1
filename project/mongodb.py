"""MongoDB's packages for Python take a process most of a second that it needn't spend, when it starts and when it ends."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured


class NoLibrary(os.PathLike[str]):
    """GDAL_LIBRARY_PATH of a project without GeoDjango: raises what a missing library does, and isn't looked for.

    django_mongodb_backend tries three times to import GeoDjango, and where there is no library, each time it is looked for
    under a dozen names with a compiler and a linker.
    """

    def __fspath__(self) -> str:
        raise ImproperlyConfigured(
            'GDAL is not looked for, because INSTALLED_APPS is without "django.contrib.gis".'
        )


def leave_without_waiting() -> None:
    """The driver's threads sleep half a second at a time, and at the end of the process it waits for them to wake up.

    They are daemons and have nothing to put in order: the process may as well end without it.
    """
    with suppress(
        ImportError, AttributeError
    ):  # the driver's own affair: another version may do it another way
        from pymongo.synchronous import monitor

        atexit.unregister(monitor._shutdown_resources)
