"""Fixtures for the tests beside this file."""

import pytest

from nexus_actors.providers.http import transports


@pytest.fixture(params=["native", "httpx2"])
def _each_transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `auto`, which is what sessions of these tests have, each of the two in turn."""
    if request.param == "httpx2":
        monkeypatch.setattr(transports, "_is_proxied", lambda _: True)
