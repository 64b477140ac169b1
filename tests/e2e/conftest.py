"""Browsers in front of a web server, which is a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browsing import Browser, started

PASSWORD = "correct horse battery staple"


@pytest.fixture
def browser(web: str, tmp_path: Path) -> Iterator[Browser]:
    """A browser in front of a server, both new."""
    found = started(web, tmp_path)
    try:
        yield found
    finally:
        found.driver.quit()


@pytest.fixture
def operator(browser: Browser, django_user_model: Any) -> Browser:
    """A browser that is logged in to the admin.

    No page refreshes itself: a click during which it did so would be lost.
    """
    django_user_model.objects.create_superuser("operator", password=PASSWORD)
    browser.open("/admin/")
    browser.driver.execute_script("localStorage.setItem('jobs-overview-every', '0')")
    browser.find("#id_username").send_keys("operator")
    browser.find("#id_password").send_keys(PASSWORD)
    browser.follow("input[type=submit]")
    return browser


@pytest.fixture(params=[(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")], ids=str)
def looking(request: Any, operator: Browser) -> tuple[Browser, str]:
    """A browser of some width in some theme, and the end of its pictures' names."""
    width, theme = request.param
    operator.theme(theme)
    if width == 390:
        operator.phone(width)
    return operator, f"{width}-{theme}"
