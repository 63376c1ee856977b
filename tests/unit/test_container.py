"""What the Containerfile says holds here, and what its page says fits it: `make test-container`
carries both out.
"""

import re
import shlex
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from nexus_actors.cli.app import app
from nexus_actors.cli.service import start, status
from nexus_actors.settings.model import ServiceSettings
from tests.container import FILE, ROOT, health_command, last, read_lines
from tests.docs.pages import read_page
from tests.image import PAGE, below, is_calling, page_commands
from tests.podman import Podman, UnusableError, open_podman, provide_base

LINES: Final = page_commands(read_page(PAGE))
RUN: Final = next(shlex.split(it) for it in LINES if it.startswith("podman run "))


def test_what_it_copies_is_there_and_not_ignored() -> None:
    kept = (ROOT / ".containerignore").read_text()
    for line in read_lines():
        if line.word == "COPY" and not line.is_from_a_stage:
            for name in line.words[:-1]:
                assert (ROOT / name).exists(), name
                assert f"!{name.removeprefix('./')}\n" in kept


def test_what_it_runs_and_asks_are_commands_of_ours() -> None:
    program, *words = [*last("ENTRYPOINT").words, *last("CMD").words]
    assert (program, app.parse_args(words)[0]) == ("nexus", start)
    program, *words = health_command()
    command, bound, _ = app.parse_args(words)
    assert (program, command, bound.arguments) == ("nexus", status, {"alive": True})


def test_it_installs_by_hashes_and_runs_as_nobody_of_rank() -> None:
    installs = [it.rest for it in read_lines() if it.word == "RUN" and "pip install" in it.rest]
    assert all("--no-deps" in it for it in installs)
    assert "--require-hashes" in installs[0]
    user = re.fullmatch(r"(\d+):(\d+)", last("USER").rest)
    assert user is not None
    assert min(map(int, user.groups())) >= 10_000
    volume, home = last("VOLUME").rest, last("ENV").rest
    assert f"HOME={volume} " in home
    owned = f"COPY --from=build --chown={last('USER').rest} /out{volume} {volume}"
    assert owned in FILE.read_text()


def test_its_page_gives_it_every_secret_of_its_config() -> None:
    config = tomllib.loads(read_page(PAGE).of("toml")[0].text)
    named = {
        value
        for table in (config["database"], *config["providers"].values())
        for name, value in table.items()
        if name.endswith("_file")
    }
    made = {shlex.split(it)[3] for it in LINES if it.startswith("podman secret create ")}
    user = last("USER").rest.partition(":")[0]
    given = dict(it.split(",", 1) for option, it in pairwise(RUN) if option == "--secret")
    assert named == made == given.keys() == {"database_url", "openai"}
    assert set(given.values()) == {f"uid={user},mode=0400"}


def test_its_page_gives_a_stop_the_time_that_a_drain_takes() -> None:
    drain = ServiceSettings().drain_timeout
    assert RUN[RUN.index("--stop-timeout") + 1] == f"{drain + 40:g}"


def test_of_a_command_line_only_the_files_outside_of_the_container_are_moved() -> None:
    line = "podman run -v /etc/nexus/a:/etc/nexus/a:ro -e A=/etc/nexus/a nexus"
    moved = "podman run -v /else/etc/nexus/a:/etc/nexus/a:ro -e A=/etc/nexus/a nexus"
    assert below(Path("/else"), line) == moved


def test_without_podman_no_image_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(UnusableError, match="not installed: podman, crun"),
        open_podman(tmp_path, tmp_path),
    ):
        pass


def test_only_root_builds_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UnusableError, match="root"), open_podman(tmp_path, tmp_path):
        pass


class Here(Podman):
    """Its commands are run without a namespace, by programs that do what the test says."""

    def _inside(self, line: str, folder: Path) -> list[str]:
        return ["/bin/bash", "-ec", f"cd {folder}; {line}"]

    @classmethod
    def of(cls, folder: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> "Here":
        """One with these programs, and no others."""
        for name, does in programs.items():
            (folder / name).write_text(f"#!/bin/bash\n{does}\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return cls(folder, 0)


def test_without_a_registry_and_mmdebstrap_no_image_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman = Here.of(tmp_path, monkeypatch, podman="exit 1")
    with pytest.raises(UnusableError, match="no mmdebstrap"):
        provide_base(podman, "python:3.13-slim")


def test_an_mmdebstrap_that_fails_is_no_reason_to_build_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman = Here.of(tmp_path, monkeypatch, podman="exit 1", mmdebstrap="exit 5")
    with pytest.raises(subprocess.CalledProcessError, match="status 5"):
        provide_base(podman, "python:3.13-slim")


@pytest.mark.parametrize(
    ("status", "calls"),
    [
        ("""echo '{"running": 1}'""", True),
        ("""echo '{"running": 0}'""", False),
        ("echo it starts >&2; exit 3", False),
    ],
)
def test_a_status_that_fails_is_one_without_calls(
    status: str, calls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman = Here.of(tmp_path, monkeypatch, nexus=status)
    assert is_calling(podman, "nexus status") is calls
