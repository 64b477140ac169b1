"""What a browser is told with every answer."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.django_db

ANSWERS = ("/posts", "/posts/1", "/posts?page=x", "/healthz", "/schema", "/metrics")
PAGES = ("/docs", "/admin/login/", "/nowhere")


def policy(response) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in response["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("path", ANSWERS + PAGES)
def test_no_answer_is_guessed_at_framed_or_kept_unasked(client, path):
    response = client.get(path)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert policy(response)["frame-ancestors"] == "'none'"
    assert {"no-store", "no-cache"} & set(re.split(", ?", response["Cache-Control"]))


@pytest.mark.parametrize("path", ANSWERS)
def test_an_answer_that_is_no_page_may_load_nothing(client, path):
    assert policy(client.get(path))["default-src"] == "'none'"
    assert "script-src" not in policy(client.get(path))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_scripts_from_its_own_files_only(client, path):
    response = client.get(path)
    assert (policy(response)["default-src"], policy(response)["script-src"]) == ("'none'", "'self'")
    page = response.content.decode()
    assert all("src=" in tag for tag in re.findall("<script[^>]*>", page))
    assert not re.search(r"<[^>]+\son\w+=", page)
