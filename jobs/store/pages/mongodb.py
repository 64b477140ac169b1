"""Pages of a collection: a pipeline whose first stages are the window's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from jobs.states import State
from jobs.store.mongodb import MongoStore
from jobs.store.pages.base import CUT, LEFT_OUT, Failures, Pages, Window, merged
from jobs.store.reading import M
from jobs.store.row_writes import Conditions

Stage = dict[str, Any]
HOUR = 3_600_000  # milliseconds


class PagesOf(Pages[M]):
    def __init__(self, store: MongoStore[M]):
        self._store = store
        self._documents = store._documents

    def page(
        self, window: Window, where: Conditions, order: Sequence[str], limit: int, skip: int = 0
    ) -> list[M]:
        stages = self._stages(window, where, order)
        stages += [{"$skip": skip}] if skip else []
        stages += [{"$limit": limit}, {"$addFields": self._cut()}]
        wanted = [
            column.name for column in self._store._reader.columns if column.name not in LEFT_OUT
        ]
        reader = self._store._reader.of(wanted)
        stages.append({"$project": {column.field.column: 1 for column in reader.columns}})
        return [
            reader.instance(
                self._documents.values(document, reader.columns), self._store.connection
            )
            for document in self._store.collection.aggregate(stages)
        ]

    def count(self, window: Window, where: Conditions, limit: int) -> int:
        if not where:
            return self._store.count(window.where, min(limit, window.most))
        stages = [*self._stages(window, where, ()), {"$limit": limit}, {"$count": "number"}]
        found = list(self._store.collection.aggregate(stages))
        return int(found[0]["number"]) if found else 0

    def failures(self, since: dt.datetime) -> list[Failures]:
        age = {"$subtract": ["$finished_at", since]}
        hour = {"$floor": {"$divide": [age, HOUR]}}
        stages: list[Stage] = [
            {"$match": {"state": str(State.FAILED), "finished_at": {"$type": "date"}}},
            {
                "$group": {
                    "_id": {
                        "key": "$error_key",
                        "hour": {"$cond": [{"$gte": ["$finished_at", since]}, hour, None]},
                    },
                    "count": {"$sum": 1},
                    "first": {"$min": "$finished_at"},
                    "last": {"$max": "$finished_at"},
                    "example": {"$max": f"${self._store._pk}"},
                }
            },
        ]
        found = []
        for document in self._store.collection.aggregate(stages):
            of = document["_id"]
            group = Failures(
                str(of.get("key") or ""),
                document["count"],
                document["first"],
                document["last"],
                document["example"],
            )
            if of.get("hour") is not None:
                group.hours[int(of["hour"])] = document["count"]
            found.append(group)
        return merged(found)

    def _stages(self, window: Window, where: Conditions, order: Sequence[str]) -> list[Stage]:
        stages: list[Stage] = [{"$match": self._documents.filter(window.where)}]
        if window.order:
            stages.append({"$sort": self._sort(window.order)})
        if where or list(order) not in ([], list(window.order)):
            stages.append({"$limit": window.most})
        if where:
            stages.append({"$match": self._documents.filter(where)})
        if order and list(order) != list(window.order):
            stages.append({"$sort": self._sort(order)})
        return stages

    def _sort(self, order: Sequence[str]) -> dict[str, int]:
        return {
            self._documents.column(name.removeprefix("-")): -1 if name[0] == "-" else 1
            for name in order
        }

    def _cut(self) -> Stage:
        return {
            name: {
                "$cond": [
                    {"$eq": [{"$type": f"${name}"}, "string"]},
                    {"$substrCP": [f"${name}", 0, most]},
                    f"${name}",
                ]
            }
            for name, most in CUT.items()
        }
