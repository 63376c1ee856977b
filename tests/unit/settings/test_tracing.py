"""Where traces are sent, checked before anything is."""

from typing import Any

import pytest

from nexus_actors.settings import Settings, parse_settings
from tests.unit.settings.test_mistakes import ECHO, lines


@pytest.mark.parametrize(
    ("tracing", "said"),
    [
        ({"endpoint": "collector:4318"}, "expected a URL like http://collector:4318"),
        ({"endpoint": "http://collector:0"}, "expected a URL like http://collector:4318"),
        ({"endpoint": "http://u:SECRET@collector"}, "OTEL_EXPORTER_OTLP_HEADERS is for secrets"),
        ({"endpoint": "http://collector?key=SECRET"}, "without a query"),
        ({"endpoint": "http://collector:4318/v1/traces"}, "end before /v1/traces"),
        ({"endpoint": "http://collector/a b"}, "no blanks"),
        ({"sample": 1.5}, "tracing.sample"),
        ({"attributes": {"team": 7}}, "tracing.attributes.team"),
        ({"endpont": "http://collector"}, "did you mean endpoint?"),
    ],
)
def test_a_collector_that_cannot_be_sent_to_is_reported_without_what_may_be_a_secret(
    tracing: dict[str, Any], said: str
) -> None:
    [line] = lines({**ECHO, "tracing": tracing})
    assert said in line
    assert "SECRET" not in line


def test_a_collector_is_named_as_others_name_it() -> None:
    found = parse_settings({**ECHO, "tracing": {"endpoint": " https://otlp.example/base/ "}}, {})
    assert isinstance(found, Settings)
    assert found.tracing.endpoint == "https://otlp.example/base"
