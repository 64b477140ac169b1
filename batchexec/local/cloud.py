"""What moto keeps for us: logs, IAM, EC2, CloudFormation and the other services.

No other modules but `mends` and `removals` know moto.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from typing import Any

from moto.batch.models import batch_backends
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from batchexec.local.mends import mend

_accounts = itertools.count(123456789012)


class UnknownRegion(ValueError):
    """AWS Batch has no such region."""


class Cloud:
    """An AWS account in moto's memory.

    Each server has its own, so two servers in one process don't share anything.
    """

    #: Where jobs log whose definition names no group. AWS Batch makes it itself.
    DEFAULT_LOG_GROUP = "/aws/batch/job"

    def __init__(self) -> None:
        mend()
        # moto itself gives this variable precedence over the account that we name.
        self.account = os.environ.get("MOTO_ACCOUNT_ID") or str(next(_accounts))
        self._application = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """moto's own WSGI application, for this account."""
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account
        return self._application(environ, start_response)

    def close(self) -> None:
        """Forgets the account, of which moto would keep some megabytes."""
        services: Any = BackendDict
        for of_service in list(services._instances):
            backends: dict[str, Any] = of_service.pop(self.account, {})
            for backend in backends.values():
                backend.__dict__.clear()  # moto's caches hold on to it itself

    def batch(self, region: str) -> Any:
        """moto's Batch in that region, which holds what its CloudFormation has made."""
        try:
            return batch_backends[self.account][region]
        except KeyError:
            raise UnknownRegion(f"AWS Batch has no region {region!r}.") from None

    def network(self, region: str) -> tuple[str, str]:
        """A subnet and a security group of the account's default network."""
        network = self.batch(region).ec2_backend
        subnet = next(iter(network.get_default_subnets().values()))
        return subnet.id, network.get_default_security_group().id

    def has_subnet(self, region: str, subnet: str) -> bool:
        return any(subnet == one.id for one in self.batch(region).ec2_backend.describe_subnets())

    def has_log_group(self, region: str, group: str) -> bool:
        return group in self.batch(region).logs_backend.groups

    def create_log_group(self, region: str, group: str) -> None:
        """One that exists isn't an error."""
        self.batch(region).logs_backend.ensure_log_group(group)

    def put_log_events(
        self, region: str, group: str, stream: str, events: Iterable[dict[str, Any]]
    ) -> None:
        logs = self.batch(region).logs_backend
        logs.ensure_log_group(group)
        logs.ensure_log_stream(group, stream)
        if events:
            logs.put_log_events(group, stream, events)
