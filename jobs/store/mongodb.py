"""MongoDB: single-document writes with plain top-level conditions.

MongoDB serves these from an index, and the driver retries them across a failover. The
queue's writes go to the driver directly, because Django's query sets would wrap several
conditions in `$and` and send them as `update_many`, which isn't retried.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bson import codec_options, encode
from bson.codec_options import CodecOptions
from pymongo import ASCENDING, DESCENDING, ReadPreference, ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import (
    ConnectionFailure,
    InvalidOperation,
    PyMongoError,
    WriteConcernError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from jobs.states import FINISHED, State
from jobs.store.changes import watch
from jobs.store.clients import forget_closed
from jobs.store.clock import aware
from jobs.store.columns import Converter
from jobs.store.hearing import Hearer
from jobs.store.new_documents import NewDocuments
from jobs.store.reading import M
from jobs.store.reserver import Reserver
from jobs.store.row_writes import Conditions
from jobs.store.unavailable import MONGODB

CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True, tzinfo=dt.timezone.utc, unicode_decode_error_handler="replace"
)
if hasattr(codec_options, "DatetimeConversion"):  # djongo's driver hasn't
    # Instants that Python can't express become its first or last one, so that one row
    # can't keep others from being read.
    clamp = codec_options.DatetimeConversion.DATETIME_CLAMP
    CODEC = CODEC.with_options(datetime_conversion=clamp)
#: This many jobs and more are claimed together, in three round trips; fewer one by one.
FEW = 4
#: Bytes that MongoDB takes of a document, and those that the queue may add to one.
LARGEST_DOCUMENT = 16 * 2**20
ROOM_FOR_ERROR = 2**20


class MongoStore(NewDocuments[M]):
    # The first is also raised if a primary steps down, and until another is elected.
    # The second is raised if it stepped down before a majority had the write: the write
    # may be undone, so it is repeated.
    unavailable = (ConnectionFailure, WriteConcernError)
    keeps_documents = True
    largest_row = LARGEST_DOCUMENT - ROOM_FOR_ERROR

    def __init__(self, model: type[M], alias: str):
        super().__init__(model, alias)
        self._order = [("priority", ASCENDING), ("run_at", ASCENDING), (self._pk, ASCENDING)]

    @property
    def database(self) -> Database[dict[str, Any]]:
        forget_closed(self.connection)
        return self.connection.database

    @property
    def session(self) -> Any:
        """The session of the transaction that the caller has open, or None."""
        return self.connection.session

    def is_unavailable(self, error: BaseException) -> bool:
        if super().is_unavailable(error):
            return True
        if not isinstance(error, PyMongoError):
            return False
        if isinstance(error, InvalidOperation):
            return str(error).endswith("after close")  # the next call makes another client
        # The label is on every error of a failover that the driver's own retry couldn't
        # hide.
        code = getattr(error, "code", None)
        return code in MONGODB or error.has_error_label("RetryableWriteError")

    def listen(self, news: Hearer, stop: threading.Event) -> None:
        """A change stream, which takes a replica set."""
        free = {"$in": [State.READY, State.DETACHED]}
        became_ready = {"updateDescription.updatedFields.state": free}
        inserted_ready = {"operationType": "insert", "fullDocument.state": State.READY}
        watch(self.collection, {"$or": [inserted_ready, became_ready]}, news.tell, stop)

    def listen_for_ends(self, tell: Callable[[], None], stop: threading.Event) -> None:
        ended = {"$in": list(FINISHED)}
        watch(self.collection, {"updateDescription.updatedFields.state": ended}, tell, stop)

    @property
    def collection(self) -> Collection[dict[str, Any]]:
        """Read from the primary and written to a majority.

        A failover may not undo a decision.
        """
        found: Collection[dict[str, Any]] = self.database.get_collection(
            self.model._meta.db_table,
            codec_options=CODEC,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority"),
        )
        return found

    def _read_clock(self) -> dt.datetime:
        return aware(self.database.client.admin.command("hello")["localTime"])

    def _claim(self, state: str, worker: Reserver, limit: int) -> list[M]:
        if limit >= FEW and (claimed := self._claim_many(state, worker, limit)) is not None:
            return claimed
        lock = self._documents.lock(worker, self._claimed(worker))
        document = self.collection.find_one_and_update(
            self._documents.wanted(state, worker),
            lock,
            sort=self._order,
            return_document=ReturnDocument.AFTER,
        )
        return [] if document is None else [self._job(document)]

    def _claim_many(self, state: str, worker: Reserver, limit: int) -> list[M] | None:
        """In three round trips: chosen, each locked on condition that it still waits,
        and those that this worker got.

        None where there were some, and others got them all.
        """
        wanted = self._documents.wanted(state, worker)
        chosen = [
            document[self._pk]
            for document in self.collection.find(
                wanted, {self._pk: 1}, sort=self._order, limit=limit
            )
        ]
        if not chosen:
            return []
        changes = self._claimed(worker)
        self.collection.update_many(
            {self._pk: {"$in": chosen}, "state": state}, self._documents.lock(worker, changes)
        )
        # As this very call locked them, to the millisecond: another worker may have
        # been quicker with some.
        own = {
            self._pk: {"$in": chosen},
            **{name: changes[name] for name in ("state", "locked_by", "locked_at")},
        }
        return (
            self._in_order([self._job(document) for document in self.collection.find(own)]) or None
        )

    def holder_of(self, unique_key: str) -> M | None:
        document = self._insertion.holders([unique_key]).get(unique_key)
        return None if document is None else self._job(document)

    def _size_of(self, job: Any) -> int:
        texts = sum(len(value) for value in vars(job).values() if type(value) in (str, bytes))
        # Four bytes is the longest character.
        if 4 * texts < self.largest_row:
            return texts
        return len(encode(self._documents.of([job], self.connection)[0]))

    def get(self, pk: Any) -> M | None:
        if (pk := self.id_of(pk)) is None:
            return None
        document = self.collection.find_one({self._pk: pk})
        return None if document is None else self._job(document)

    def read_each(self, pks: Iterable[Any]) -> list[M]:
        keys = list(pks)
        found = {
            document[self._pk]: self._job(document)
            for document in self.collection.find({self._pk: {"$in": keys}})
        }
        return [found[key] for key in keys if key in found]

    def find(self, where: Conditions, limit: int) -> list[M]:
        return [
            self._job(document)
            for document in self.collection.find(self._documents.filter(where), limit=limit)
        ]

    def glance(
        self, where: Conditions, names: Sequence[str], limit: int, order: str = ""
    ) -> list[M]:
        reader, sort = self._reader.of(names), self._sort(order) if order else None
        wanted = {column.field.column: 1 for column in reader.columns}
        found = self.collection.find(self._documents.filter(where), wanted, sort=sort, limit=limit)
        rows = (self._documents.values(document, reader.columns) for document in found)
        return [reader.instance(row, self.connection) for row in rows]

    def odd_leases(self, latest: dt.datetime, limit: int) -> list[M]:
        odd = {"$not": {"$type": "date"}}
        running = {"state": str(State.RUNNING)}
        found = [
            *self.collection.find({**running, "locked_at": odd}, limit=limit),
            *self.collection.find({**running, "locked_at": {"$gt": latest}}, limit=limit),
        ]
        return [self._job(document) for document in found]

    def listing(self, where: Conditions, order: str, limit: int) -> list[M]:
        found = self.collection.find(
            self._documents.filter(where), sort=self._sort(order), limit=limit
        )
        return [self._job(document) for document in found]

    def _sort(self, order: str) -> list[tuple[str, int]]:
        name = order.removeprefix("-")
        return [(self._documents.column(name), DESCENDING if name != order else ASCENDING)]

    def ids(self, where: Conditions, limit: int) -> list[Any]:
        found = self.collection.find(self._documents.filter(where), {self._pk: 1}, limit=limit)
        return [document[self._pk] for document in found]

    def count(self, where: Conditions, limit: int) -> int:
        return self.collection.count_documents(self._documents.filter(where), limit=limit)

    def queues(self, state: str, most: int | None = None) -> set[str]:
        names = self.collection.distinct("queue", {"state": state})
        return {name for name in names if type(name) is str}

    def change(self, pk: Any, where: Conditions, changes: Mapping[str, Any]) -> bool:
        update = self._documents.changes(changes)
        return self.collection.update_one(self._documents.one(pk, where), update).matched_count == 1

    def change_many(self, where: Conditions, changes: Mapping[str, Any]) -> int:
        update = self._documents.changes(changes)
        return self.collection.update_many(self._documents.filter(where), update).matched_count

    def delete(self, pk: Any, where: Conditions) -> bool:
        return self.collection.delete_one(self._documents.one(pk, where)).deleted_count == 1

    def delete_many(self, where: Conditions) -> int:
        return self.collection.delete_many(self._documents.filter(where)).deleted_count

    def _job(self, document: dict[str, Any]) -> M:
        return self._instance(self._documents.values(document, self._reader.columns))

    def _converters_of(self, field: Any) -> list[Converter]:
        # Datetimes are aware already, by the codec options.
        return [] if field.get_internal_type() == "DateTimeField" else super()._converters_of(field)


@contextmanager
def reading_from_primary(connection: Any) -> Iterator[None]:
    """See `jobs.store.from_primary`. A connection belongs to one thread."""
    database = connection.database
    connection.database = database.with_options(read_preference=ReadPreference.PRIMARY)
    try:
        yield
    finally:
        connection.database = database
