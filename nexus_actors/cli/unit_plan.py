"""The plan of `nexus service`: what would be installed, and what prevents it."""

import stat
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import nexus_actors
from nexus_actors.config_file import Unreadable, read_toml
from nexus_actors.operations.systemd_unit import (
    DEFAULT_CONFIG,
    STATE,
    URL_CREDENTIAL,
    Unit,
    named_secrets,
)
from nexus_actors.operations.unit_checks import unreachable, wrong_names
from nexus_actors.settings import Settings, SettingsErrors, load_settings
from nexus_actors.settings.secret_files import CREDENTIALS
from nexus_actors.settings.url_source import FILE_VARIABLE, URL_VARIABLES

_STAND_INS: Final = {"url_file": "postgresql://nobody@localhost/nobody", "api_key_file": "7" * 40}
"""Valid stand-ins for secrets that do not exist yet, by the setting that names them."""
_LEAST: Final = (
    'write one with data_dir = "/var/lib/nexus" in [service] and url_file = "database_url" in'
    " [database]; the rest has defaults"
)
_LEAST_OF_USER: Final = "write one; it may be empty, since all settings have defaults"
"""A user unit can write to the default data_dir, and its embedded PostgreSQL needs no URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of the command."""

    config: Path | None = None
    executable: Path | None = None
    name: str = "nexus"
    root: Path | None = None
    user: bool = False

    @property
    def base(self) -> Path:
        """The directory that stands for /."""
        return Path("/") if self.root is None else self.root.absolute()

    @property
    def folder(self) -> Path:
        """The unit's directory, below `base`."""
        place = Path.home() / ".config/systemd/user" if self.user else Path("/etc/systemd/system")
        return self.seen(place)

    @property
    def file(self) -> Path:
        """The unit's file, below `base`."""
        return self.folder / f"{self.name}.service"

    @property
    def systemctl(self) -> str:
        """The systemctl command for this unit."""
        where = "" if self.root is None else f" --root {self.root}"
        return f"systemctl{where}{' --user' if self.user else ''}"

    def named(self, path: Path) -> Path:
        """The path as written in the unit. Below another root, relative paths are not resolved."""
        return path.absolute() if self.root is None else path

    def seen(self, path: Path) -> Path:
        """A path of the unit, below `base`."""
        return self.base / path.relative_to("/")


@dataclass(slots=True)
class Planned:
    """The unit, if it is possible."""

    wanted: Wanted
    unit: Unit | None = None
    troubles: list[str] = field(default_factory=list)
    """Why it could not work."""
    warnings: list[str] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)
    """Secrets that do not exist yet, by their paths in the unit."""

    @property
    def text(self) -> str | None:
        """The content of the unit file; None if a name in it is invalid."""
        return None if self.unit is None else self.unit.text()


def plan(wanted: Wanted) -> Planned:
    """Check the config and what the unit would start. Changes nothing."""
    planned = Planned(wanted)
    unit = Unit(
        name=wanted.name,
        executable=wanted.named(wanted.executable or Path(sys.executable).with_name("nexus")),
        config=wanted.named(wanted.config or _default_config(wanted)),
        data_dir=STATE / wanted.name,
        user=wanted.user,
    )
    planned.troubles += wrong_names(unit)
    if planned.troubles:
        return planned
    config, file = unit.config, wanted.seen(unit.config)
    needed = _package(wanted)
    if file.is_file():
        unit = _of_config(unit, file, planned)
        needed.append(config)
    else:
        planned.troubles.append(f"no config {file}: {_LEAST_OF_USER if unit.user else _LEAST}")
    wrong = list(wrong_names(unit))
    planned.troubles += wrong
    if wrong:
        return planned
    planned.unit = unit
    planned.troubles += unreachable(unit, wanted.base, needed)
    if not wanted.user:
        _look_at_secrets(unit, planned)
    return planned


def _default_config(wanted: Wanted) -> Path:
    return Path.home() / ".config/nexus/nexus.toml" if wanted.user else DEFAULT_CONFIG


def _package(wanted: Wanted) -> list[Path]:
    """Where the code of the executable is, if known. It may be outside its venv."""
    return [Path(nexus_actors.__file__)] if wanted.executable is None else []


def _of_config(unit: Unit, file: Path, planned: Planned) -> Unit:
    """The unit for this config, as far as the config is valid. Its mistakes become troubles."""
    tables = read_toml(file)
    secrets = [] if isinstance(tables, Unreadable) else list(named_secrets(tables))
    variables = _variables(planned.wanted.seen(unit.env_file))
    elsewhere = any(variables.get(it) for it in (*URL_VARIABLES, FILE_VARIABLE))
    own = "" if unit.user or elsewhere else URL_CREDENTIAL
    unit = replace(unit, credentials=tuple(dict.fromkeys(name for _, name in secrets)))
    settings = _as_it_will_be(unit, file, secrets, own, planned.wanted)
    if isinstance(settings, SettingsErrors):
        planned.troubles += map(str, settings.mistakes)
        return unit
    planned.warnings += settings.warnings
    named = settings.sources.get("database.url") not in (None, FILE_VARIABLE)
    return replace(
        unit,
        data_dir=settings.service.data_dir,
        drain_timeout=settings.service.drain_timeout,
        names_database=named or elsewhere,
    )


def _as_it_will_be(
    unit: Unit, file: Path, secrets: list[tuple[str, str]], own: str, wanted: Wanted
) -> Settings | SettingsErrors:
    """The settings as the service will read them. A secret that does not exist yet is replaced by a
    valid stand-in."""
    variables = _variables(wanted.seen(unit.env_file))
    environ = {"HOME": str(Path.home()) if unit.user else "/", **variables}
    with tempfile.TemporaryDirectory() as folder:
        for setting, name in (*secrets, *([("url_file", own)] if own else [])):
            stand_in, there = Path(folder, name), wanted.seen(unit.folder) / name
            if "/" in name or stand_in.is_symlink() or stand_in.exists():
                continue
            if there.exists():
                stand_in.symlink_to(there)
            else:
                stand_in.write_text(_STAND_INS[setting.rpartition(".")[2]])
        environ[CREDENTIALS] = folder
        if own:
            environ[FILE_VARIABLE] = own
        return load_settings(file, environ)


def _variables(file: Path) -> Mapping[str, str]:
    """The variables in an EnvironmentFile of simple form."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.strip().partition("=") for line in lines)
    return {
        name.strip(): value.strip().strip("\"'")
        for name, equals, value in pairs
        if equals and name[:1] not in ("#", ";")
    }


def _look_at_secrets(unit: Unit, planned: Planned) -> None:
    for name in unit.all_credentials:
        there = planned.wanted.seen(unit.folder) / name
        if not there.exists():
            planned.missing.append(unit.folder / name)
        elif there.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            planned.warnings.append(f"{there} can be read by others: chmod 600 {there}")
