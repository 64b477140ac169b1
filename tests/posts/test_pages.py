from __future__ import annotations

import re

import pytest

from posts.models import Post

pytestmark = pytest.mark.django_db


def links(response) -> dict[str, str]:
    return {rel: url for url, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', response["Link"])}


def test_link_headers_lead_through_all_pages(client):
    Post.objects.bulk_create(Post(title=f"{number}") for number in range(5))
    url, titles = "/posts?page_size=2&colour=red", []
    while url:
        response = client.get(url)
        assert response.status_code == 200
        titles.append([post["title"] for post in response.json()])
        url = links(response).get("next")
    assert titles == [["0", "1"], ["2", "3"], ["4"]]
    assert links(client.get("/posts/?page_size=2&page=2&colour=r%C3%B6t%0d%0a<>")) == {
        rel: f"http://testserver/posts/?colour=r%C3%B6t%0D%0A%3C%3E&page={page}&page_size=2"
        for rel, page in {"first": 1, "prev": 1, "next": 3, "last": 3}.items()
    }
    assert links(client.get("/posts?page_size=5")).keys() == {"first", "last"}


def test_page_sizes(client):
    assert links(client.get("/posts")) == dict.fromkeys(
        ("first", "last"), "http://testserver/posts?page=1"
    )
    Post.objects.bulk_create(Post(title="x") for _ in range(1001))
    for query, count in {
        "": 100,
        "?page_size=1000": 1000,
        "?page_size=5000": 1000,
        f"?page_size={'9' * 50}": 1000,
    }.items():
        assert len(client.get(f"/posts{query}").json()) == count


def test_bad_pages(client):
    for value in (
        "x",
        "",
        "0",
        "-1",
        "1.5",
        "1_0",
        "+1",
        "%201",
        "1%0a",
        "%D9%A1",
        "%00",
        "9" * 5000,
        "NaN",
    ):
        for name in ("page", "page_size"):
            response = client.get(f"/posts?{name}={value}")
            assert response.status_code == 422, value
            assert response.json() == {name: ["A whole number from 1 up is required."]}
    for page in ("2", "9" * 50):
        response = client.get(f"/posts?page={page}")
        assert (response.status_code, response.json()) == (
            404,
            {"detail": "There is no such page: the last one is 1."},
        )
