"""AWS Batch on this machine, as an object that tests can use in their own process.

    with LocalBatch() as batch:
        client = boto3.client("batch", endpoint_url=batch.url, region_name="us-east-1")

Any credentials will do. `manage.py localbatch` serves the same object.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from batchexec.local.account.account import Account
from batchexec.local.api import BatchApi
from batchexec.local.app import Application
from batchexec.local.calls import Calls
from batchexec.local.cloud import Cloud
from batchexec.local.faults import Faults
from batchexec.local.guard import Guard
from batchexec.local.iam.access import Access
from batchexec.local.iam.policy import Policy
from batchexec.local.index import Index
from batchexec.local.lag import Lag
from batchexec.local.leftovers import ProcessGroups
from batchexec.local.logs import Logs
from batchexec.local.machine import Machine
from batchexec.local.scheduler import Scheduler
from batchexec.local.throttle import Throttle
from batchexec.local.timers import Timers
from batchexec.local.web import HOST, Server, listen
from jobs.folders import project_folder

logger = logging.getLogger(__name__)

DEFAULT_MAX_RUNNING = 2 * (os.cpu_count() or 1)
DEFAULT_START_DELAY = 0.15
AWS_STOP_GRACE = 30
SHUTDOWN_GRACE = 3.0


def check_seconds(name: str, seconds: float) -> None:
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{name} must be 0 seconds or more, not {seconds}.")


class LocalBatch:
    """A context manager that serves AWS Batch during its block.

    It leaves no thread and no process behind. `url` is the address to set as
    AWS_ENDPOINT_URL_BATCH or `endpoint_url`.

    `port`: 0 takes a free port and keeps the logs of the jobs in a temporary folder.
    With any other port they are in `var/localbatch-<port>/<job id>.log`.
    `host`: everybody who can reach this address can run commands.
    `names`: host names that clients call it by, if `host` isn't a loopback address.
    `folder`: where the logs are instead.
    `faults`: see `batchexec.local.faults`.
    `start_delay`: seconds from SubmitJob to the start of the process.
    `lag`: seconds, at random around it, that AWS Batch takes to decide about a job, and
    to notice that its container runs or has ended.
    `list_lag`: the same until ListJobs shows a new job, or a change of one.
    `tps`: calls a second that it takes, of all operations together. None means any.
    `policy`: an IAM policy, or its file. Calls that it doesn't allow get a 403.
    `max_running`: how many containers run at once. Further jobs stay RUNNABLE.
    `stop_grace`: seconds between SIGTERM and SIGKILL of a job.
    `shutdown_grace`: the same for all jobs, at the end of the block.
    `create`: makes the job queue, the job definition and the log group that BATCHEXEC
    names, in every region. Without it, an account is empty.
    `forget_after`: seconds until a finished job is unknown. None means never.
    `allow_short_timeouts`: accepts time-outs under AWS's minimum of 60 seconds.
    `echo`: prints the output of the jobs.

    Raises FaultError for a malformed fault, PolicyError for a policy that can't be
    used, ValueError for another option out of its range, and OSError when the block
    begins, if the port is taken.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = HOST,
        names: Iterable[str] = (),
        folder: Path | None = None,
        faults: Iterable[str] = (),
        start_delay: float = DEFAULT_START_DELAY,
        lag: float = 0,
        list_lag: float = 0,
        tps: float | None = None,
        policy: Path | Mapping[str, Any] | None = None,
        max_running: int = DEFAULT_MAX_RUNNING,
        stop_grace: float = AWS_STOP_GRACE,
        shutdown_grace: float = SHUTDOWN_GRACE,
        create: bool = False,
        forget_after: float | None = None,
        allow_short_timeouts: bool = False,
        echo: bool = False,
    ):
        if max_running < 1:
            raise ValueError(f"At least one container must be allowed to run, not {max_running}.")
        check_seconds("start_delay", start_delay)
        check_seconds("stop_grace", stop_grace)
        check_seconds("shutdown_grace", shutdown_grace)
        check_seconds("forget_after", forget_after or 0)
        self.host = host
        self.port = port
        self.folder = folder
        self._names = tuple(names)
        self._faults = Faults(faults)
        self._calls = Calls()
        self._shutdown_grace = shutdown_grace
        self._lag = Lag(lag)
        self._scheduler_options: dict[str, Any] = {
            "max_running": max_running,
            "start_delay": start_delay,
            "stop_grace": stop_grace,
            "lag": self._lag,
        }
        self._list_lag = Lag(list_lag)
        self._throttle = Throttle(tps)
        self._policy = policy if policy is None else Policy.read(policy)
        self._api_options: dict[str, Any] = {
            "allow_short_timeouts": allow_short_timeouts,
            "forget_after": forget_after,
        }
        self._create = create
        self._echo = echo
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def set_faults(self, specs: Iterable[str]) -> None:
        """Replaces all faults.

        Raises FaultError, and changes nothing, if one is malformed.
        """
        self._faults.replace(specs)

    def set_lag(self, seconds: float) -> None:
        """Replaces the lag, for what AWS Batch has yet to notice from now on."""
        self._lag.set(seconds)

    def enforce(self, policy: Path | Mapping[str, Any]) -> None:
        """Replaces the IAM policy, as that of a role which was made meanwhile.

        Raises PolicyError, and changes nothing, for one that can't be used.
        """
        self._access.policy = Policy.read(policy)

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force: their `spec`, and how often they are `left`, or None."""
        return self._faults.show()

    def unmet_faults(self) -> list[str]:
        """The faults set since the last call that happened never, or too seldom."""
        return self._faults.unmet()

    def calls(self) -> dict[str, Any]:
        """The `counts` of calls by operation, and the `submissions`: see `Calls`."""
        return self._calls.show()

    def reset_calls(self) -> None:
        self._calls.reset()

    def __enter__(self) -> LocalBatch:
        with listen(self.host, self.port) as listening:
            self._cloud = Cloud()
            short = bool(self._api_options["allow_short_timeouts"])
            account = Account(self._cloud, create=self._create, allow_short_timeouts=short)
            region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
            account.region(region or "us-east-1")
            # Now that the port is ours, its folder is, too.
            folder = self._open_folder()
            self.port = listening.getsockname()[1]
            groups = ProcessGroups(folder / "processes")
            if ended := groups.end_leftovers(self._shutdown_grace):
                text = "Ended %d processes that a killed localbatch had left behind."
                logger.warning(text, len(ended))
            self._timers = Timers()
            logs = Logs(self._cloud, folder, self._timers, echo=self._echo)
            machine = Machine(project_folder(), groups, logs)
            index = Index(self._list_lag)
            self._scheduler = Scheduler(
                machine, self._timers, self._faults, index, account.block, **self._scheduler_options
            )
            api = BatchApi(account, self._scheduler, self._faults, index, **self._api_options)
            self._access = Access(self._policy, self._cloud.account, api.tags_of)
            guard = Guard(self.host, self.port, self._names)
            self._application = Application(
                guard,
                self._throttle,
                self._access,
                self._cloud,
                api,
                self._faults,
                self._calls,
                logs,
            )
            self._server = Server(self._application, listening)
        serve = partial(self._server.serve_forever, poll_interval=0.05)
        self._thread = threading.Thread(target=serve, name="localbatch-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._application.closing.set()
        self._server.stop()
        self._thread.join()
        self._scheduler.close(self._shutdown_grace)
        self._timers.close()
        self._cloud.close()
        if self._temporary:
            self._temporary.cleanup()

    def _open_folder(self) -> Path:
        if self.folder is None and self.port == 0:
            self._temporary = tempfile.TemporaryDirectory(prefix="localbatch-")
            return Path(self._temporary.name)
        folder = self.folder or project_folder() / "var" / f"localbatch-{self.port}"
        return Path(folder)
