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


def test_a_page_is_bounded_in_bytes_and_its_links_lead_to_every_record(client):
    wide = "€" * 100_000  # 300,000 bytes each
    Post.objects.bulk_create([Post(title=f"{number}", body=wide) for number in range(45)])
    url, titles, pages = "/posts?page_size=30&colour=red", [], 0
    while url:
        response = client.get(url)
        assert len(response.content) < 4.5 * 1024 * 1024
        assert response.json(), "a page is never empty"
        titles += [post["title"] for post in response.json()]
        url, pages = links(response).get("next"), pages + 1
    assert titles == [f"{number}" for number in range(45)]
    # 13 fit, so the first page has three parts and the second two.
    assert pages == 5
    second = client.get("/posts?page_size=30&page=1&skip=13")
    assert links(second) == {
        "first": "http://testserver/posts?page=1&page_size=30",
        "prev": "http://testserver/posts?page=1&page_size=30",
        "next": "http://testserver/posts?page=1&page_size=30&skip=26",
        "last": "http://testserver/posts?page=2&page_size=30",
    }


def test_a_page_holds_a_record_that_is_larger_than_a_page(client, monkeypatch):
    monkeypatch.setattr("project.api.pagination.MAX_BYTES", 10)
    Post.objects.bulk_create([Post(title="x" * 100), Post(title="y" * 100)])
    first = client.get("/posts")
    assert [post["title"][0] for post in first.json()] == ["x"]
    assert [post["title"][0] for post in client.get(links(first)["next"]).json()] == ["y"]


def test_what_may_be_skipped(client):
    Post.objects.bulk_create(Post(title=f"{number}") for number in range(3))
    assert [post["title"] for post in client.get("/posts?skip=1").json()] == ["1", "2"]
    assert client.get(f"/posts?skip={'9' * 50}").json() == []
    assert client.get("/posts?page_size=1&page=2&skip=1").json() == []
    for value in ("x", "-1", ""):
        response = client.get(f"/posts?skip={value}")
        assert (response.status_code, response.json()) == (
            422,
            {"skip": ["A whole number from 0 up is required."]},
        )
