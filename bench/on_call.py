"""The admin's pages and its actions on all that match, in a table of many jobs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

#: Each page is looked at this often, after a first look.
LOOKS = 5
LIST = "/admin/jobs/job/"
PAGES = {
    "list": "",
    "list, page 100": "?p=100",
    "list of failed": "?state=failed",
    "list of a queue": "?queue=mail",
    "failed within an hour, of a queue": "?failed_within=1h&queue=mail",
    "waiting for 5 minutes": "?waiting=5m",
    "a class": "?name=Send7",
    "a text that none has": "?q=xyzzy",
    "failed, a text that none has": "?q=xyzzy&state=failed",
    "failed, in another order": "?state=failed&o=-5",
    "overview": "overview/",
    "overview, day by class": "overview/?span=day&by=name",
    "overview, first look in a minute": "overview/?span=day&by=name",
    "errors": "errors/",
}
#: A name, the action, the filter, and what the form says beside.
ACTIONS: list[tuple[str, str, str, dict[str, str]]] = [
    ("change the priority", "move", "?state=failed", {"to_priority": "7"}),
    ("change the queue", "move", "?state=failed", {"to_queue": "other"}),
    ("retry", "retry", "?state=failed", {}),
    ("change the priority, by a text", "move", "?q=no+address", {"to_priority": "8"}),
    ("run later", "reschedule", "?q=no+address", {"delay": "2h"}),
    ("cancel", "cancel", "?state=ready", {}),
    ("delete, by a text", "delete", "?q=no+address", {}),
    ("delete", "delete", "?state=cancelled", {}),
]
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
SAID = re.compile(r'<li class="(?:success|warning)">([^<]*)<')


def pages() -> dict[str, Any]:
    """Of each page: milliseconds of each look, and its number of statements."""
    from jobs.operator import overview

    client, found = _client(), {}
    for name, address in PAGES.items():

        def look(name: str = name, address: str = address) -> None:
            if "first look" in name:
                overview.forget()
            answer = client.get(LIST + address)
            if answer.status_code != 200:
                raise SystemExit(f"{address} answered {answer.status_code}")

        look()
        times = [_seconds(look) * 1000 for _ in range(LOOKS)]
        with CaptureQueriesContext(connection) as statements:
            look()
        found[name] = {"ms": times, "statements": len(statements)}
    return found


def action(number: int) -> dict[str, Any]:
    """Does one of ACTIONS: seconds until it asks, and from the yes until it is done."""
    name, does, query, values = ACTIONS[number]
    client = _client()
    began = time.perf_counter()
    form = {"action": does, "select_across": "1"}
    asked = client.post(LIST + query, form)
    seconds_asked = time.perf_counter() - began
    hidden: dict[str, Any] = {}
    for field, value in HIDDEN.findall(asked.content.decode()):
        hidden.setdefault(field, []).append(value)
    began = time.perf_counter()
    answer = client.post(LIST, {**hidden, **values})
    seconds_done = time.perf_counter() - began
    said = SAID.findall(client.get(answer["Location"]).content.decode())
    return {"name": name, "asked": seconds_asked, "done": seconds_done, "said": " ".join(said)}


def _client() -> Client:
    from django.conf import settings
    from django.contrib.auth.models import User

    # Nobody has collected the files of this checkout.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "whitenoise" not in one]

    user, _ = User.objects.get_or_create(
        username="on call", defaults={"is_staff": True, "is_superuser": True}
    )
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def _seconds(step: Callable[[], Any]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began
