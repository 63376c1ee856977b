"""The service's settings: read once, checked as a whole, never changed again.

`load_settings` for a program, `parse_settings` for a test, `masked` and `listed` for eyes.
"""

from nexus_actors.settings.display import listed, masked
from nexus_actors.settings.load import load_settings, parse_settings
from nexus_actors.settings.mistakes import Mistake, SettingsErrors
from nexus_actors.settings.model import (
    AdminSettings,
    DashboardSettings,
    DatabaseSettings,
    LeftOut,
    ModelRef,
    Provider,
    QueueSettings,
    RequestSettings,
    ResultPollerSettings,
    RetentionSettings,
    Route,
    SecuritySettings,
    ServiceSettings,
    Settings,
    SupervisionSettings,
)
from nexus_actors.settings.tracing import TracingSettings

__all__ = [
    "AdminSettings",
    "DashboardSettings",
    "DatabaseSettings",
    "LeftOut",
    "Mistake",
    "ModelRef",
    "Provider",
    "QueueSettings",
    "RequestSettings",
    "ResultPollerSettings",
    "RetentionSettings",
    "Route",
    "SecuritySettings",
    "ServiceSettings",
    "Settings",
    "SettingsErrors",
    "SupervisionSettings",
    "TracingSettings",
    "listed",
    "load_settings",
    "masked",
    "parse_settings",
]
