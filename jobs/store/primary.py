"""Query sets that read where the queue writes, whatever the routers say of reads.

A replica is behind: it shows jobs as they were, and lacks those that were just stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.db import models, router

if TYPE_CHECKING:
    from collections.abc import Iterable

M = TypeVar("M", bound=models.Model)


class PrimaryQuerySet(models.QuerySet[M]):
    """Reads from the database that is written to, unless `using` names another."""

    @property
    def db(self) -> str:
        hints: dict[str, Any] = self._hints  # type: ignore[attr-defined]
        using: str | None = self._db  # type: ignore[attr-defined]
        return using or str(router.db_for_write(self.model, **hints))


_Manager = models.Manager.from_queryset(PrimaryQuerySet)


class PrimaryManager(_Manager[M]):
    """The manager of the queue's tables."""

    @property
    def db(self) -> str:
        hints: dict[str, Any] = self._hints  # type: ignore[attr-defined]
        return self._db or str(router.db_for_write(self.model, **hints))


class PrimaryModel(models.Model):
    """The base of the queue's tables."""

    objects: ClassVar[PrimaryManager[Any]] = PrimaryManager()

    class Meta:
        abstract = True

    def refresh_from_db(  # type: ignore[override]
        self, using: str | None = None, fields: Iterable[str] | None = None, **options: Any
    ) -> None:
        """As Django's, but from the database that the routers name for writing."""
        if using is None:
            using = router.db_for_write(type(self), instance=self)
        super().refresh_from_db(using=using, fields=fields, **options)
