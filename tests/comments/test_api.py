from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.db.models.sql.subqueries import DeleteQuery
from django.test import Client

from comments.models import Comment
from posts.models import Post
from project.api import ids

UNKNOWN = ["5d9f5e4a026d7c4e4a71cbdf", "123456789"]
NO_RECORD = {"post_id": ["There is no record with this id."]}


@pytest.fixture
def post(db):
    return Post.objects.create(title="hello")


def test_life_of_a_comment(client, post):
    created = client.post(
        "/comments",
        f"comment[post_id]={post.pk}&comment[name]=Bob&comment[message]=Hi",
        content_type="application/x-www-form-urlencoded",
    )
    assert created.status_code == 201
    comment = Comment.objects.get()
    wanted = {"id": str(comment.pk), "post_id": str(post.pk), "name": "Bob", "message": "Hi"}
    assert created.json() == wanted
    url = f"/comments/{comment.pk}"
    assert created["Location"] == f"http://testserver{url}"
    assert client.get(url).json() == client.get(f"{url}/").json() == wanted

    other = Post.objects.create(title="other")
    moved = client.patch(
        url, {"comment": {"post_id": str(other.pk)}}, content_type="application/json"
    )
    assert (moved.status_code, moved.json()) == (200, {**wanted, "post_id": str(other.pk)})
    values = {"post_id": str(post.pk), "name": "Ann", "message": "Hello"}
    replaced = client.put(url, values, content_type="application/json")
    assert (replaced.status_code, replaced.json()) == (200, {"id": str(comment.pk), **values})

    assert client.delete(url).status_code == 204
    assert (
        client.get(url).status_code
        == client.delete(url).status_code
        == client.get("/comments/x").status_code
        == 404
    )
    assert Post.objects.count() == 2


def test_invalid_comments_are_422(client, post):
    good = {"post_id": str(post.pk), "name": "Bob", "message": "Hi"}
    for name, value in [
        *(
            ("post_id", unknown)
            for unknown in [
                *UNKNOWN,
                "",
                "x",
                "1_0",
                "\0",
                "\ud800",
                "9" * 500,
                None,
                1,
                True,
                [],
                {"$ne": 1},
            ]
        ),
        ("name", ""),
        ("name", "x" * 256),
        ("message", None),
        ("message", "x" * 10_001),
    ]:
        response = client.post("/comments", {**good, name: value}, content_type="application/json")
        assert (response.status_code, list(response.json())) == (422, [name]), (name, value)
    missing = client.post("/comments", {"comment[colour]": "red"})
    assert (missing.status_code, set(missing.json())) == (422, {"post_id", "name", "message"})
    wrapped = client.post("/comments", {"post": good}, content_type="application/json")
    assert (wrapped.status_code, list(wrapped.json())) == (400, ["detail"])
    assert not Comment.objects.exists()


def test_the_list_can_be_filtered_by_post(client, post):
    other = Post.objects.create(title="other")
    for number in range(3):
        Comment.objects.create(post=post, name=f"{number}", message="m")
    Comment.objects.create(post=other, name="other", message="m")

    def names(query):
        return [comment["name"] for comment in client.get(f"/comments{query}").json()]

    assert names("") == ["0", "1", "2", "other"]
    assert names(f"?post_id={post.pk}") == ["0", "1", "2"]
    assert names(f"?post_id={post.pk}&page=2&page_size=2") == ["2"]
    for unknown in UNKNOWN:
        response = client.get(f"/comments?post_id={unknown}")
        # Each is malformed where the other kind of id is in use.
        assert (response.status_code, response.json()) in [
            (200, []),
            (422, {"post_id": ["This is not an id."]}),
        ]
    for malformed in ("", "x", "%00", "-1", "9" * 500):
        response = client.get(f"/comments?post_id={malformed}")
        assert (response.status_code, response.json()) == (422, {"post_id": ["This is not an id."]})


@pytest.mark.django_db(transaction=True)
def test_a_post_deleted_after_it_was_found_makes_the_comment_invalid(client, monkeypatch):
    post, other = Post.objects.create(title="hello"), Post.objects.create(title="other")
    comment = Comment.objects.create(post=other, name="n", message="m")
    find = ids.find

    def find_and_delete(queryset, text):
        found = find(queryset, text)
        if text == str(post.pk):
            Post.objects.filter(pk=found.pk)._raw_delete("default")
        return found

    monkeypatch.setattr(ids, "find", find_and_delete)
    values = {"post_id": str(post.pk), "name": "n", "message": "m"}
    created = client.post("/comments", values, content_type="application/json")
    assert (created.status_code, created.json()) == (422, NO_RECORD)
    assert list(Comment.objects.all()) == [comment]

    monkeypatch.undo()
    moved = client.patch(
        f"/comments/{comment.pk}", {"post_id": str(post.pk)}, content_type="application/json"
    )
    assert (moved.status_code, moved.json()) == (422, NO_RECORD)


@pytest.mark.django_db(transaction=True)
def test_a_comment_written_after_the_cascade_goes_with_its_post(client, monkeypatch):
    post = Post.objects.create(title="hello")
    delete_batch = DeleteQuery.delete_batch

    def write_a_late_one(query, pks, using):
        if query.model is Post:
            Comment.objects.create(post=post, name="late", message="m")
        return delete_batch(query, pks, using)

    monkeypatch.setattr(DeleteQuery, "delete_batch", write_a_late_one)
    assert client.delete(f"/posts/{post.pk}").status_code == 204
    assert not Comment.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_comments_that_race_with_the_deletion_of_their_post_leave_no_orphan():
    post = Post.objects.create(title="hello")
    values = {"post_id": str(post.pk), "name": "n", "message": "m"}
    statuses = []
    some_are_written = threading.Event()

    def write():
        try:
            for _ in range(12):
                statuses.append(
                    Client().post("/comments", values, content_type="application/json").status_code
                )
                if len(statuses) >= 4:
                    some_are_written.set()
        finally:
            connection.close()

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    assert some_are_written.wait(120)
    assert Client().delete(f"/posts/{post.pk}").status_code == 204
    for writer in writers:
        writer.join()
    assert set(statuses) <= {201, 422}
    assert len(statuses) == 36
    assert not Comment.objects.exists()


def test_the_admin_lists_posts_and_comments(admin_client, post):
    Comment.objects.create(post=post, name="Bob", message="Hi")
    for path in ("posts/post/?q=hel", "comments/comment/?q=Bob", f"posts/post/{post.pk}/change/"):
        assert admin_client.get(f"/admin/{path}").status_code == 200
