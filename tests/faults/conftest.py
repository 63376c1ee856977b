"""The users of tests/acceptance, whose services are killed here."""

from tests.acceptance.conftest import cluster, nexus, roles

__all__ = ["cluster", "nexus", "roles"]
