"""All checks, in the order in which one has to mend what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from batchexec.conf import settings
from batchexec.doctor import (
    account,
    agreement,
    database,
    definition,
    image,
    queues,
    quotas,
    rights,
    roles,
    secrets,
)
from batchexec.doctor.deployment import Deployment
from batchexec.doctor.findings import FAULT, Check, Finding, fault, ok, warning
from batchexec.doctor.rounds import examine
from jobs.conf import settings as jobs_settings


def check_settings(deployment: Deployment) -> Iterator[Finding]:
    """What the system checks say of BATCHEXEC and JOBS."""
    messages = [*settings.check(), *jobs_settings.check()]
    for message in messages:
        found_wrong = fault if message.is_serious() else warning
        yield found_wrong(message.msg, message.hint or "correct the setting, or its variable.")
    if not messages:
        yield ok("The settings BATCHEXEC and JOBS are what they may be.")


#: What needs no AWS, and whether AWS can be asked at all.
FIRST = (
    Check("settings", check_settings),
    Check("database", database.reachable),
    Check("region", account.region),
)
WHO = Check("identity", account.identity)
REST = (
    Check("clock", account.clock),
    Check("queue", queues.queue),
    Check("compute environments", queues.environments),
    Check("room", queues.room),
    Check("definition", definition.definition),
    Check("command", definition.command),
    Check("timeouts", definition.timeouts),
    Check("image", image.image),
    Check("secrets", secrets.secrets),
    Check("log group", definition.log_group),
    Check("roles", roles.roles),
    Check("worker's rights", rights.worker),
    Check("execution role's rights", rights.execution),
    Check("signing keys", agreement.keys),
    Check("container's database", agreement.database),
    Check("container's settings", agreement.settings_agree),
    Check("Fargate's quota", quotas.fargate),
    Check("SubmitJob's rate", quotas.submissions),
)


def look(deployment: Deployment, tell: Callable[[Finding], None]) -> list[Finding]:
    """Has all checks look that can, and tells each finding once it is there.

    Without a region or credentials AWS answers nothing: that is said once.
    """
    found = examine(deployment, FIRST, tell)
    if any(one.check == "region" and one.level == FAULT for one in found):
        return found
    who = examine(deployment, [WHO, REST[0]], tell)
    found += who
    if all(one.level != FAULT for one in who):
        found += examine(deployment, REST[1:], tell)
    return found
