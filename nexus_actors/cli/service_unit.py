"""`nexus service install|uninstall|show`: the systemd unit of the service."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.options import AsJson
from nexus_actors.cli.report import CommandError, complain, note, print_json, say_text
from nexus_actors.cli.unit_plan import Planned, Wanted, plan
from nexus_actors.operations.systemd_unit import MARK, Unit

service = App(
    name="service",
    help="Have systemd run the service: write, show or remove its unit.",
    help_format="plaintext",
)

Config = Annotated[
    Path | None,
    Parameter(
        name=["--config", "-c"],
        help="Config file, as the unit sees it; default: /etc/nexus/nexus.toml, with --user"
        " ~/.config/nexus/nexus.toml.",
    ),
]
Executable = Annotated[
    Path | None, Parameter(help="The nexus that the unit starts; default: this one.")
]


def _is_name(_type: object, name: str) -> None:
    if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError("expected letters, digits, - and _.")


Name = Annotated[str, Parameter(help="The name of the unit and of its user.", validator=_is_name)]
Root = Annotated[Path | None, Parameter(help="A directory to use as /, such as an image's.")]
User = Annotated[
    bool, Parameter(negative="", help="A unit for your own service manager, without root.")
]
_VARIABLES: Final = """\
# Variables of the service, NAME=value. What is secret is better kept as a file of the folder
# credentials, beside this one.
"""


@service.command
def install(
    *,
    config: Config = None,
    executable: Executable = None,
    name: Name = "nexus",
    root: Root = None,
    user: User = False,
) -> None:
    """Write the systemd unit for a config. Safe to repeat; systemctl is not called.

    Also creates the directory for its secrets and the file for its variables, and says what to do
    next. Nothing is written if the unit could not work: the config is missing or wrong, or nexus or
    its Python is missing or hidden from the unit's user (exit code 2).

    Example: nexus service install --config /etc/nexus/nexus.toml
    """
    wanted = Wanted(config=config, executable=executable, name=name, root=root, user=user)
    _must_be_allowed(wanted)
    planned = plan(wanted)
    if planned.unit is None or planned.troubles:
        first, *others = planned.troubles
        raise CommandError(first, exit_codes.USAGE, details=others)
    before = _installed(wanted.file)
    for warning in planned.warnings:
        complain(f"warning: {warning}")
    _lay_out(planned.unit, wanted)
    text = planned.unit.text()
    if before == text:
        note(f"{wanted.file} is as it should be: nothing was changed")
    else:
        _write(wanted.file, text)
        note(f"{'installed' if before is None else 'replaced'} {wanted.file}")
        for line in _difference(before, text):
            note(line)
    for line in _next(planned, is_new=before is None):
        note(line)


@service.command
def uninstall(*, name: Name = "nexus", root: Root = None, user: User = False) -> None:
    """Remove the systemd unit. Config, secrets and data stay.

    An enabled unit is kept, and the command says how to disable it (exit code 1).

    Example: nexus service uninstall
    """
    wanted = Wanted(name=name, root=root, user=user)
    _must_be_allowed(wanted)
    file, unit = wanted.file, wanted.file.name
    if _installed(file) is None:
        note(f"there is no {file}: nothing was changed")
        return
    links = [it for it in wanted.folder.glob(f"*.wants/{unit}") if it.is_symlink()]
    if links:
        now = "" if root else " --now"
        raise CommandError(f"{links[0]} enables it; first: {wanted.systemctl} disable{now} {unit}")
    try:
        file.unlink()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    note(f"removed {file}; the config, its secrets and the data stay")
    if root is None:
        note(f"next: {wanted.systemctl} stop {unit}; {wanted.systemctl} daemon-reload")


@service.command
def show(
    *,
    config: Config = None,
    executable: Executable = None,
    name: Name = "nexus",
    root: Root = None,
    user: User = False,
    json: AsJson = False,
) -> int:
    """Print the systemd unit that would be installed.

    Standard error says how it differs from the installed unit, and what prevents its installation
    (exit code 2).

    Example: nexus service show
    """
    wanted = Wanted(config=config, executable=executable, name=name, root=root, user=user)
    planned = plan(wanted)
    text, file = planned.text, wanted.file
    before = file.read_text(errors="replace") if file.is_file() else None
    if json:
        print_json(
            {
                "file": str(file),
                "unit": text,
                "installed": before,
                "mistakes": planned.troubles,
                "warnings": planned.warnings,
            }
        )
    else:
        if text is not None:
            say_text(text, end="")
            for line in _difference(before, text):
                note(line)
        for trouble in planned.troubles:
            complain(trouble)
        for warning in planned.warnings:
            complain(f"warning: {warning}")
    return exit_codes.USAGE if planned.troubles else exit_codes.OK


def _must_be_allowed(wanted: Wanted) -> None:
    if wanted.root is not None and not wanted.root.is_dir():
        why = "is not a folder" if wanted.root.exists() else "does not exist"
        raise CommandError(f"--root {wanted.root} {why}", exit_codes.USAGE)
    if wanted.root is None and not wanted.user and os.geteuid() != 0:
        raise CommandError(
            "only root changes the units of all: sudo, or --user, or --root DIR", exit_codes.USAGE
        )


def _installed(file: Path) -> str | None:
    """The installed unit, if this program wrote it; None if there is none."""
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise CommandError(f"{file} is no file (masked?); it is left as it is")
    try:
        text = file.read_text(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    if not text.startswith(MARK):
        raise CommandError(f"{file} was not written by nexus service install; it is left as it is")
    return text


def _lay_out(unit: Unit, wanted: Wanted) -> None:
    """Create the folder for secrets and the file for variables, if they do not exist."""
    folder, file = wanted.seen(unit.folder), wanted.seen(unit.env_file)
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
        if not file.exists():
            file.touch(0o600)
            file.write_text(_VARIABLES)
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error


def _write(file: Path, text: str) -> None:
    """Write the file atomically."""
    scratch = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text)
        scratch.chmod(0o644)
        scratch.replace(file)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise CommandError(f"{file}: {error.strerror}") from error


def _difference(before: str | None, after: str) -> Iterator[str]:
    """A diff from an installed unit to the new one; empty if none is installed."""
    if before is not None:
        lines = before.splitlines(), after.splitlines()
        yield from difflib.unified_diff(*lines, "installed", "new", lineterm="", n=0)


def _next(planned: Planned, *, is_new: bool) -> Iterator[str]:
    wanted, unit = planned.wanted, planned.wanted.file.name
    yield "next:"
    for path in planned.missing:
        what = "the URL of the database" if path.name == "database_url" else "the secret"
        yield f"  write {what}: install -m 600 /dev/stdin {wanted.seen(path)}"
    if wanted.root is not None:
        yield f"  {wanted.systemctl} enable {unit}"
        return
    yield f"  {wanted.systemctl} daemon-reload"
    yield f"  {wanted.systemctl} {'enable --now' if is_new else 'restart'} {unit}"
    if wanted.user:
        yield "  loginctl enable-linger, or it stops when you log out"
    yield f"  {wanted.systemctl} status {unit}"
