from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from batchexec.local.server import LocalBatch
from batchexec.plugin import BatchExecution
from jobs import Worker
from tests.processes import FAST, database_url


@pytest.fixture
def batch(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBatch]:
    """A local AWS Batch whose containers work on the tests' database."""
    for name, value in {**FAST, "DATABASE_URL": database_url()}.items():
        monkeypatch.setenv(name, value)
    with LocalBatch(start_delay=0.05, stop_grace=2, max_running=8) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", server.url)
        yield server
        assert server.unmet_faults() == []


@pytest.fixture
def worker(batch: LocalBatch, settings: object) -> Callable[..., Worker]:
    """Workers in this process, as quick as those in processes of their own."""
    from batchexec.conf import settings as batchexec_options
    from jobs.conf import settings as jobs_options

    settings.JOBS = jobs_options.from_environment(FAST)  # type: ignore[attr-defined]
    settings.BATCHEXEC = batchexec_options.from_environment(FAST)  # type: ignore[attr-defined]
    return lambda **options: Worker(plugins=["jobs.plugins.ClearLocks", BatchExecution], **options)


@pytest.fixture
def client_of() -> Callable[[LocalBatch], object]:
    import boto3

    return lambda server: boto3.client("batch", endpoint_url=server.url, region_name="us-east-1")
