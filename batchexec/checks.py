"""System checks of the settings, and with `check --deploy` of what AWS Batch has."""

from __future__ import annotations

from typing import Any

from django.core import checks

from batchexec.conf import settings

HINT = "`jobworker --batch` refuses to start like this."


@checks.register("batchexec")
def check_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    return list(settings.check())


@checks.register("batchexec", deploy=True)
def check_aws(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Only with `check --deploy`, because it asks AWS Batch.

    It gives a warning, no error: an image may be built where AWS can't be asked.
    """
    try:
        from batchexec.aws.catalogue import Catalogue
        from batchexec.aws.client import BatchClient
        from batchexec.aws.errors import NotConfigured
        from batchexec.aws.preflight import check_configuration
    except ImportError as error:
        return [checks.Warning(str(error), hint=HINT, id="batchexec.W001")]
    try:
        check_configuration(Catalogue(BatchClient()))
    except (NotConfigured, TypeError, ValueError) as error:
        return [checks.Warning(str(error), hint=HINT, id="batchexec.W001")]
    return []
