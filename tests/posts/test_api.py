from __future__ import annotations

import json

import pytest
from django.db.models.signals import post_init

from comments.models import Comment
from posts.models import Post

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
UNKNOWN = ["5d9f5e4a026d7c4e4a71cbdf", "123456789"]
MALFORMED = [
    "x",
    "0x1",
    "1_0",
    "-1",
    "01",
    "+1",
    "%D9%A1",
    "%00",
    "%ff",
    "%ed%a0%80",
    "a.b",
    "1%0a",
    "9" * 500,
    "$ne",
]


def post_json(client, path, body, **options):
    return client.post(path, json.dumps(body), content_type="application/json", **options)


def test_life_of_a_post(client):
    created = post_json(client, "/posts", {"title": "hello", "body": "world"})
    assert created.status_code == 201
    post = Post.objects.get()
    assert created.json() == {"id": str(post.pk), "title": "hello", "body": "world"}
    url = f"/posts/{post.pk}"
    assert created["Location"] == f"http://testserver{url}"
    assert client.get(created["Location"]).json() == created.json()

    changed = client.patch(url, {"title": "good bye"}, content_type="application/json")
    assert (changed.status_code, changed.json()["title"], changed.json()["body"]) == (
        200,
        "good bye",
        "world",
    )
    replaced = client.put(url, {"title": "new"}, content_type="application/json")
    assert (replaced.status_code, replaced.json()) == (
        200,
        {"id": str(post.pk), "title": "new", "body": ""},
    )
    assert client.get("/posts").json() == [replaced.json()]

    deleted = client.delete(url)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert client.get(url).status_code == 404
    assert client.delete(url).status_code == 404
    assert client.get("/posts").json() == []


def test_bodies_may_be_plain_or_wrapped_json_or_forms_as_rails_sends_them(client):
    wanted = {"title": "Grüße & ein + Zeichen", "body": " two\nlines "}
    encoded = ("Gr%C3%BC%C3%9Fe+%26+ein+%2B+Zeichen", "+two%0Alines+")
    wrapped = {f"post[{name}]": value for name, value in wanted.items()}
    responses = [
        post_json(client, "/posts", wanted),
        post_json(client, "/posts", {"post": wanted, "commit": "Create"}),
        client.post("/posts", "title={}&body={}".format(*encoded), content_type=FORM),
        client.post(
            "/posts",
            "utf8=%E2%9C%93&post[title]={}&post[body]={}".format(*encoded),
            content_type=FORM,
        ),
        client.post(
            "/posts", "post%5Btitle%5D={}&post%5Bbody%5D={}".format(*encoded), content_type=FORM
        ),
        client.post("/posts", wanted),  # multipart
        client.post("/posts", wrapped),
        client.post("/posts/", wrapped),
    ]
    for response in responses:
        assert response.status_code == 201, response.content
        assert response.json() == {"id": response.json()["id"], **wanted}
    assert Post.objects.filter(**wanted).count() == len(responses)


def test_no_csrf_token_is_wanted():
    from django.test import Client

    assert (
        Client(enforce_csrf_checks=True).post("/posts", {"post[title]": "hello"}).status_code == 201
    )


def test_invalid_fields_are_422_with_a_message_each(client):
    post = Post.objects.create(title="old")
    for values in [
        {"title": ""},
        {"title": " \n "},
        {"title": None},
        {"title": 5},
        {"title": True},
        {"title": ["x"]},
        {"title": {"$ne": 1}},
        {"title": "NUL \0"},
        {"title": "\ud800"},
        {"title": "x" * 256},
    ]:
        for response in [
            post_json(client, "/posts", values),
            post_json(client, "/posts", {"post": values}),
            client.patch(f"/posts/{post.pk}", json.dumps(values), content_type="application/json"),
        ]:
            assert (response.status_code, list(response.json())) == (422, ["title"]), values
            assert all(isinstance(message, str) for message in response.json()["title"])
    for response in [
        post_json(client, "/posts", {"body": "no title"}),
        post_json(client, "/posts", {"post": {}}),
        client.put(f"/posts/{post.pk}", {"body": "no title"}, content_type="application/json"),
        client.post("/posts", {"post[body]": "no title"}),
    ]:
        assert (response.status_code, response.json()) == (
            422,
            {"title": ["This field is required."]},
        )
    body = post_json(client, "/posts", {"title": "x", "body": "x" * 100_001})
    assert (body.status_code, list(body.json())) == (422, ["body"])
    assert [post.title for post in Post.objects.all()] == ["old"]


def test_ids_that_are_unknown_or_malformed_are_not_found(client):
    for unknown in UNKNOWN + MALFORMED:
        for method in (client.get, client.put, client.patch, client.delete):
            response = method(f"/posts/{unknown}", content_type="application/json")
            assert (response.status_code, response.json()) == (
                404,
                {"detail": "There is no post with this id."},
            )


def test_ids_and_import_keys_cannot_be_written(client):
    post = Post.objects.create(title="old", import_key="k")
    body = {"id": UNKNOWN[0], "pk": UNKNOWN[0], "import_key": "mine", "title": "new"}
    assert client.patch(f"/posts/{post.pk}", body, content_type="application/json").json()[
        "id"
    ] == str(post.pk)
    created = post_json(client, "/posts", body).json()
    assert set(created) == {"id", "title", "body"}
    assert sorted(Post.objects.values_list("pk", "import_key")) == sorted(
        [(post.pk, "k"), (Post.objects.last().pk, None)]
    )


def test_deleting_a_post_deletes_its_comments_and_no_others(client):
    gone, kept = Post.objects.create(title="gone"), Post.objects.create(title="kept")
    for post in (gone, gone, kept):
        Comment.objects.create(post=post, name="n", message="m")
    assert client.delete(f"/posts/{gone.pk}").status_code == 204
    assert [comment.post_id for comment in Comment.objects.all()] == [kept.pk]


def test_an_update_does_not_bring_a_post_back_that_was_deleted_meanwhile(client):
    post = Post.objects.create(title="old")

    def delete_behind_its_back(instance, **kwargs):
        Post.objects.filter(pk=instance.pk)._raw_delete("default")

    post_init.connect(delete_behind_its_back, sender=Post)
    try:
        response = client.patch(
            f"/posts/{post.pk}", {"title": "new"}, content_type="application/json"
        )
    finally:
        post_init.disconnect(delete_behind_its_back, sender=Post)
    assert response.status_code == 404
    assert not Post.objects.exists()


def test_methods_without_a_meaning_are_405_and_answers_are_json_only(client):
    assert client.delete("/posts").status_code == 405
    assert client.put("/posts").status_code == 405
    assert client.post("/posts/1").status_code == 405
    assert client.head("/posts").status_code == 200
    assert client.get("/posts", HTTP_ACCEPT="text/html").status_code == 406
    assert client.get("/posts", HTTP_ACCEPT="text/html,*/*;q=0.8").json() == []
    assert client.get("/posts?format=xml").json() == []
