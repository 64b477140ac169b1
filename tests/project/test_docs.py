from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from project.api import documents


def test_the_schema_is_json_unless_yaml_is_asked_for(client):
    for path in ("/schema", "/schema/"):
        schema = client.get(path).json()
        assert schema["openapi"].startswith("3.")
        assert set(schema["paths"]) == {"/posts", "/posts/{id}", "/comments", "/comments/{id}"}
    yaml = client.get("/schema", HTTP_ACCEPT="application/yaml")
    assert yaml.content.startswith(b"openapi: 3.")


def test_the_page_to_try_the_api_needs_nothing_from_elsewhere(client):
    for path in ("/docs", "/docs/"):
        page = client.get(path).content.decode()
        assert 'data-schema="/schema"' in page
        assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page)
        # Files that the application brings along.
        files = re.findall(r"(?:src|href)=\"(/static/[^\"]+)\"", page)
        assert len(files) >= 3
        for file in files:
            assert finders.find(file.removeprefix("/static/")), file


def test_the_schema_is_right_and_the_same_under_threads(monkeypatch):
    """Each thread asks for both forms as the first ones do, before anything is made."""
    for _ in range(3):
        monkeypatch.setattr(documents, "documents", documents.Documents())
        start = threading.Barrier(8)

        def ask(number):
            start.wait(120)  # noqa: B023 - of this round
            accept = ("application/json", "application/yaml")[number % 2]
            return [Client().get("/schema", HTTP_ACCEPT=accept) for _ in range(5)]

        with ThreadPoolExecutor(8) as threads:
            answers = [answer for answers in threads.map(ask, range(8)) for answer in answers]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 2
        assert len({answer["ETag"] for answer in answers}) == 2
        assert set(answers[0].json()["paths"]["/posts"]["post"]["responses"]["201"]["headers"]) == {
            "Location"
        }


def test_the_schema_is_made_once(client, monkeypatch):
    made = []
    monkeypatch.setattr(documents, "documents", documents.Documents())
    make = documents.SchemaGenerator.get_schema
    monkeypatch.setattr(
        documents.SchemaGenerator,
        "get_schema",
        lambda *args, **kwargs: made.append(1) or make(*args, **kwargs),
    )
    for _ in range(3):
        assert client.get("/schema").status_code == 200
    assert made == [1]


@pytest.mark.parametrize("path", ["/schema", "/docs"])
def test_a_client_that_has_it_gets_304(client, path):
    first = client.get(path)
    assert (first.status_code, first["Cache-Control"]) == (200, "no-cache")
    for known in (first["ETag"], f'"other", {first["ETag"]}', f"W/{first['ETag']}", "*"):
        again = client.get(path, HTTP_IF_NONE_MATCH=known)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert client.get(path, HTTP_IF_NONE_MATCH='"other"').content == first.content
    head = client.head(path)
    assert (head.status_code, head["ETag"]) == (200, first["ETag"])
    assert client.post(path).status_code == 405


def test_json_and_yaml_have_etags_of_their_own(client):
    yaml = client.get("/schema", HTTP_ACCEPT="application/yaml")
    assert yaml["ETag"] != client.get("/schema")["ETag"]
    assert "Accept" in yaml["Vary"]
