"""The served schema tells the truth: requests made from it are answered as it says, and
none with a server error.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from project.wsgi import application

# SQLite: schemathesis closes connections, and with them an open transaction.
pytestmark = pytest.mark.django_db(transaction=True)

BOUNDED = settings(
    max_examples=3,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def api(settings):
    # Here, because it takes a second to import, in each process of a lane.
    schemathesis = pytest.importorskip(
        "schemathesis", reason="the release that is pinned takes Python 3.11"
    )
    settings.ALLOWED_HOSTS = ["localhost"]
    served = schemathesis.openapi.from_wsgi("/schema", application)
    loaded = schemathesis.openapi.from_dict(without_limits_of_thousands(served.raw_schema))
    loaded.app, loaded.location = application, served.location
    return loaded


def without_limits_of_thousands(schema):
    """No request here has so long a text, but the automaton that could make one takes
    seconds of every test, and a gigabyte.
    """
    if isinstance(schema, list):
        return [without_limits_of_thousands(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_limits_of_thousands(value)
        for key, value in schema.items()
        if key != "maxLength" or value < 1000
    }


def inapplicable_checks(case):
    """That a comment's post must exist is nothing that a schema can say."""
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    refers_to_a_post = case.operation.path.startswith("/comments") and case.operation.body
    return [positive_data_acceptance] if refers_to_a_post else []


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_requests_are_answered_as_the_schema_says(api, mode):
    from schemathesis import GenerationMode

    operations = [result.ok() for result in api.get_all_operations()]
    assert len(operations) == 12
    for operation in operations:

        @given(case=operation.as_strategy(generation_mode=GenerationMode(mode)))
        @BOUNDED
        def is_answered(case):
            case.call_and_validate(excluded_checks=inapplicable_checks(case))

        is_answered()


def test_so_are_sequences_of_requests(api):
    class Client(api.as_state_machine()):
        def validate_response(self, response, case, **options):
            case.validate_response(response, excluded_checks=inapplicable_checks(case))

    Client.run(settings=settings(BOUNDED, max_examples=10, stateful_step_count=6))
