"""The unit with which systemd runs the service: its text, and what keeps it from working.

`config/systemd/nexus.service` is what is written here for the defaults.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nexus_actors.config_file import DRAIN_TIMEOUT
from nexus_actors.settings.secret_files import BESIDE

MARK: Final = "# Written by nexus service install."
"""How a unit begins that may be replaced and removed: no other is."""
DEFAULT_NAME: Final = "nexus"
DEFAULT_CONFIG: Final = Path("/etc/nexus/nexus.toml")
DEFAULT_EXECUTABLE: Final = Path("/opt/nexus/bin/nexus")
STATE: Final = Path("/var/lib")
"""Where a unit's StateDirectory stands."""
URL_CREDENTIAL: Final = "database_url"
WATCHDOG: Final = 30
"""Seconds that the loop may be frozen; it shows itself twice in that time."""
AFTER_DRAIN: Final = 40
"""Seconds that a stop may take beyond the drain: what is finished is published, leases are given
back, connections closed."""
_SERVICE: Final = """\
ExecStart={executable} start --config {config}
ExecReload=/bin/kill -HUP $MAINPID
# READY=1 comes when all of the tree runs; until then, and while calls end, it asks for more time.
Type=notify
NotifyAccess=main
# The loop itself says that it runs. One that is frozen for so long is killed, and started again.
WatchdogSec={watchdog}
# It is killed by SIGABRT; then the journal has the line at which each of its threads stood.
Environment=PYTHONFAULTHANDLER=1
# No image of its memory is left behind, which has secrets and prompts.
LimitCORE=0
# [service] drain_timeout, and what closing takes. SIGTERM is for the main process alone.
TimeoutStopSec={stop}
KillMode=mixed
Restart=always
RestartSec=2
# 2 is a mistake that only an operator fixes.
RestartPreventExitStatus=2
# Variables, without secrets.
EnvironmentFile=-{env_file}
UMask=0077
NoNewPrivileges=yes
"""
_SYSTEM: Final = """\
{mark} What is to differ goes into a drop-in: systemctl edit {name}

[Unit]
Description=nexus: LLM requests from PostgreSQL to providers
Wants=network-online.target
After=network-online.target postgresql.service
StartLimitIntervalSec=0

[Service]
{service}
# Secrets: files that only root can read, copied at the start for this service alone.
{credentials}
# A user of its own, who can write to {data_dir} and nowhere else.
User={name}
DynamicUser=yes
StateDirectory={state}
StateDirectoryMode=0700
LimitNOFILE=65536

ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
PrivateTmp=yes
PrivateDevices=yes
RemoveIPC=yes
CapabilityBoundingSet=
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
_USER: Final = """\
{mark} What is to differ goes into a drop-in: systemctl --user edit {name}

[Unit]
Description=nexus: LLM requests from PostgreSQL to providers
StartLimitIntervalSec=0

[Service]
{service}
[Install]
WantedBy=default.target
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What a unit is made of."""

    name: str = DEFAULT_NAME
    executable: Path = DEFAULT_EXECUTABLE
    config: Path = DEFAULT_CONFIG
    data_dir: Path = Path("/var/lib/nexus")
    drain_timeout: float = DRAIN_TIMEOUT
    """Seconds."""
    credentials: tuple[str, ...] = ()
    """Files of secrets that the config names, each by a plain name."""
    names_database: bool = False
    """Whether the config says where the database is. Else the unit does, by a credential."""
    user: bool = False
    """One of a user's own service manager."""

    @property
    def folder(self) -> Path:
        """Where the secrets are, as root knows them."""
        return self.config.parent / BESIDE

    @property
    def env_file(self) -> Path:
        """The file of variables."""
        return self.config.with_name("nexus.env")

    @property
    def all_credentials(self) -> tuple[str, ...]:
        """Those that systemd is to hand over."""
        own = () if self.names_database else (URL_CREDENTIAL,)
        return tuple(dict.fromkeys((*own, *self.credentials)))

    @property
    def file_name(self) -> str:
        """The unit's, as systemd calls it."""
        return f"{self.name}.service"

    def text(self) -> str:
        """The unit file."""
        service = _SERVICE.format(
            executable=self.executable,
            config=self.config,
            watchdog=WATCHDOG,
            stop=math.ceil(self.drain_timeout) + AFTER_DRAIN,
            env_file=self.env_file,
        )
        if self.user:
            return _USER.format(mark=MARK, name=self.name, service=service)
        lines = [f"LoadCredential={it}:{self.folder / it}" for it in self.all_credentials]
        if not self.names_database:
            # Relative: systemd knows %d since release 250 only.
            lines.append(f"Environment=DATABASE_URL_FILE={URL_CREDENTIAL}")
        return _SYSTEM.format(
            mark=MARK,
            name=self.name,
            service=service,
            credentials="".join(f"{it}\n" for it in lines),
            data_dir=self.data_dir,
            state=self.data_dir.relative_to(STATE),
        )


def named_secrets(tables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each setting of a config that names a file of a secret, and the name that it gives."""
    database = tables.get("database")
    if isinstance(database, Mapping) and (name := database.get("url_file")):
        yield "database.url_file", str(name)
    providers = tables.get("providers")
    for provider, table in providers.items() if isinstance(providers, Mapping) else ():
        given = table.get("api_key_file") if isinstance(table, Mapping) else None
        for name in given if isinstance(given, list) else [given] if given else ():
            yield f"providers.{provider}.api_key_file", str(name)
