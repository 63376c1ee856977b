"""Sets up tracing by the config."""

from nexus_actors.routing.in_force import InForce
from nexus_actors.tracing import conventions as name
from nexus_actors.tracing.exporting import Collector, Exporting
from nexus_actors.tracing.tracer import Tracer


def new_tracing(in_force: InForce, instance_id: str) -> tuple[Tracer, Exporting]:
    """The tracer and the exporter of a service with a configured collector."""
    settings = in_force.settings.tracing
    service = in_force.settings.service.name
    resource = {name.SERVICE_NAME: service, name.SERVICE_INSTANCE_ID: instance_id}

    def connect() -> Collector:
        from nexus_actors.tracing import otlp

        return otlp.Collector(settings.endpoint, resource, settings.attributes)

    exporting = Exporting(connect, settings.endpoint)
    return Tracer(in_force, exporting), exporting
