"""Every page of the admin at its widths and in its themes, and a picture of each where
SCREENSHOTS names a folder: `make pictures`.
"""

from __future__ import annotations

import pytest

from tests.e2e import scene

#: What there are pictures of, besides the overview as it looks in all ways.
SHOWN = ("1440-light", "390-dark")

pytestmark = pytest.mark.django_db(transaction=True)


def pages() -> dict[str, str]:
    """The addresses of the pages, where all of them have something to show."""
    failed = scene.build()
    return {
        "overview": "/admin/jobs/job/overview/",
        "list": "/admin/jobs/job/?state=failed",
        "job": f"/admin/jobs/job/{failed.pk}/change/",
        "errors": "/admin/jobs/job/errors/",
    }


def test_every_page_can_be_read_at_every_width_and_in_every_theme(looking):
    browser, kind = looking
    for name, path in pages().items():
        browser.open(path)
        if name == "overview" or kind in SHOWN:
            browser.picture(f"{name}-{kind}")
        assert not browser.is_wider_than_the_screen(), name
        assert browser.nameless() == [], name
        assert browser.faint() == [], name
    assert browser.complaints() == []


def test_axe_finds_nothing_serious(looking):
    browser, _ = looking
    for name, path in pages().items():
        browser.open(path)
        assert browser.serious() == [], name
