import threading

import pytest
from django.db import connection

from posts.models import Post
from project import health

#: Seconds. On a busy machine, an answer may take some.
LONG = 120


def test_healthz_does_not_ask_the_database(client):
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]
    assert client.head("/healthz").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_readyz_is_200_when_the_database_answers(client, monkeypatch):
    monkeypatch.setattr(health, "PATIENCE", LONG)
    for _ in range(2):
        response = client.get("/readyz")
        assert (response.status_code, response.json()) == (200, {"status": "ready"})


UNAVAILABLE = {"status": "unavailable", "detail": "The database doesn't answer."}


@pytest.mark.django_db
def test_readyz_is_503_when_the_database_refuses(client, monkeypatch):
    def refuse():
        raise health.ConnectionFailure

    monkeypatch.setattr(health, "ask_database", refuse)
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, UNAVAILABLE)


def test_readyz_is_503_in_time_when_the_database_is_silent_and_asks_it_once(client, monkeypatch):
    answer, is_asked, asked = threading.Event(), threading.Event(), []

    def wait():
        asked.append(1)
        is_asked.set()
        answer.wait(LONG)

    monkeypatch.setattr(health, "ask_database", wait)
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    monkeypatch.setattr(health, "_question", health.Question())
    for _ in range(3):
        response = client.get("/readyz")
        assert (response.status_code, response.json()) == (503, UNAVAILABLE)
    assert is_asked.wait(LONG)
    assert len(asked) == 1
    monkeypatch.setattr(health, "PATIENCE", LONG)
    answer.set()
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_the_api_is_503_when_the_database_does_not_answer(client, monkeypatch, caplog):
    def refuse(*args, **kwargs):
        raise health.ConnectionFailure("127.0.0.1: connection refused")

    monkeypatch.setattr(type(Post.objects.all()), "count", refuse)
    response = client.get("/posts")
    assert response.status_code == 503
    assert response.json() == {"detail": "The database doesn't answer: try again later."}
    assert "connection refused" in caplog.text


def test_other_database_errors_are_bugs_and_not_unavailability():
    assert not health.is_unavailability(connection.Database.IntegrityError())
    assert not health.is_unavailability(ValueError())


def test_a_load_balancer_that_asks_by_address_and_without_tls_is_answered(client, settings):
    settings.ALLOWED_HOSTS = ["shop.example"]
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/healthz", HTTP_HOST="10.0.0.7:8000").status_code == 200
    assert client.get("/posts", HTTP_HOST="10.0.0.7:8000").status_code == 400
