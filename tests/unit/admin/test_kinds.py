"""What actors are counted by: there may be thousands of workers."""

from nexus_actors.admin.kinds import KINDS, OTHER, kind_of


def test_workers_of_any_provider_are_one_kind() -> None:
    assert kind_of("a.b.Worker.17") == kind_of("openai.Worker.1") == "Provider.Worker"
    assert kind_of("openai.RateLimiter") == "Provider.RateLimiter"
    assert kind_of("Providers.Supervisor") == "Providers.Supervisor"
    assert kind_of("Worker.1") == kind_of("no-such-actor") == OTHER
    assert len(KINDS) == len(set(KINDS))
