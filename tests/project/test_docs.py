from __future__ import annotations

import re

from django.contrib.staticfiles import finders


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
