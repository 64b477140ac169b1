"""How moto deletes the resources of a stack that it would leave behind.

They are the NAT gateway with its network interface and address, tables of routes, and
what a template has made in AWS Batch, the latest revision of its job definition
included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.batch.models import ComputeEnvironment, JobDefinition, JobQueue, batch_backends
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.route_tables import RouteTable

Removal = Callable[[Any, str, str], None]


def mend() -> None:
    """Gives these classes the `delete` that moto's CloudFormation calls."""
    removals: dict[Any, Removal] = {
        NatGateway: _nat_gateway,
        ElasticAddress: _address,
        RouteTable: _route_table,
        JobQueue: _queue,
        ComputeEnvironment: _environment,
        JobDefinition: _definition,
    }
    for kind, removal in removals.items():
        kind.delete = removal


def _nat_gateway(gateway: Any, account: str, region: str) -> None:
    ec2 = ec2_backends[account][region]
    for address in ec2.addresses:
        if address.eni is gateway._eni:
            address.eni = address.association_id = None
    ec2.enis.pop(gateway._eni.id, None)
    ec2.delete_nat_gateway(gateway.id)


def _address(address: Any, account: str, region: str) -> None:
    ec2_backends[account][region].release_address(allocation_id=address.allocation_id)


def _route_table(table: Any, account: str, region: str) -> None:
    # Its associations end with the subnets, which moto deletes in any order.
    table._associations.clear()
    ec2_backends[account][region].delete_route_table(table.id)


def _queue(queue: Any, account: str, region: str) -> None:
    batch_backends[account][region].delete_job_queue(queue.arn)


def _environment(environment: Any, account: str, region: str) -> None:
    batch_backends[account][region].delete_compute_environment(environment.arn)


def _definition(definition: Any, account: str, region: str) -> None:
    definition.deregister()
