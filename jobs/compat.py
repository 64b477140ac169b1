"""Names of newer Djangos, for the Django that djongo needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django
from django.contrib import admin

try:
    from django.contrib.admin import display
except ImportError:  # before Django 3.2

    def display(  # type: ignore[no-redef]
        *, description: str = "", ordering: str = ""
    ) -> Callable[[Any], Any]:
        def describe(function: Any) -> Any:
            if description:
                function.short_description = description
            if ordering:
                function.admin_order_field = ordering
            return function

        return describe


#: For ModelAdmin.show_facets, which Django has from 5.0 on.
NO_FACETS: Any = admin.ShowFacets.NEVER if hasattr(admin, "ShowFacets") else None

#: The number that the admin's lists begin to count their pages with.
FIRST_PAGE = 1 if django.VERSION >= (3, 2) else 0

__all__ = ["FIRST_PAGE", "NO_FACETS", "display"]
