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
ACTIONS: list[tuple[str, Any, Any, Any]] = [
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
SAID = re.compile(r'<li class="success">([^<]*)<')


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


def actions() -> dict[str, Any]:
    """Of each of ACTIONS in turn: seconds until the page asks, seconds from the yes
    until it is done, and how many jobs it was done to.
    """
    client = _client()
    return {name: _action(client, *how) for name, *how in ACTIONS}


def _action(client: Client, does: str, query: str, values: dict[str, str]) -> dict[str, Any]:
    began = time.perf_counter()
    asked = client.post(LIST + query, {"action": does, "select_across": "1"})
    seconds = time.perf_counter() - began
    hidden: dict[str, list[str]] = {}
    for field, value in HIDDEN.findall(asked.content.decode()):
        hidden.setdefault(field, []).append(value)
    began = time.perf_counter()
    answer = client.post(LIST, {**hidden, **values})
    done = time.perf_counter() - began
    said = SAID.findall(client.get(answer["Location"]).content.decode())
    if not said:
        raise SystemExit(f"{does} {query} did nothing")
    return {"asked": seconds, "done": done, "jobs": int(said[0].split()[0].replace(",", ""))}


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
