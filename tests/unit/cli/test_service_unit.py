"""`nexus service`: the unit, what it refuses, and what systemd says of it."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.cli import report
from nexus_actors.operations.systemd_unit import Unit

SHIPPED = Path(__file__).parents[3] / "config" / "systemd" / "nexus.service"
CONFIG = '[service]\ndata_dir = "/var/lib/nexus"\n[database]\nurl_file = "database_url"\n'
NEXUS = "/opt/nexus/bin/nexus"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


class System:
    """A folder that stands for /, with nexus in it."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capture = capture
        self.file = root / "etc/systemd/system/nexus.service"
        self.config = root / "etc/nexus/nexus.toml"
        self.write("etc/nexus/nexus.toml", CONFIG)
        self.write("usr/bin/python3", "")
        self.write("opt/nexus/bin/nexus", "#!/opt/nexus/bin/python\n", 0o755)
        self.write("opt/nexus/pyvenv.cfg", "home = /usr/bin\n")
        (root / "opt/nexus/bin/python").symlink_to("/usr/bin/python3")

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def run(self, command: str, *words: str, code: int = 0) -> str:
        """What is said on standard error."""
        self._capture.readouterr()
        if command != "uninstall":
            words = ("--executable", NEXUS, *words)
        assert report.run(["service", command, "--root", str(self.root), *words]) == code
        self.out, said = self._capture.readouterr()
        return said

    def refuses(self, *expected: str) -> None:
        """Nothing is installed, for these reasons, a line each; `show` has the same ones."""
        said = self.run("install", code=2)
        assert len(said.splitlines()) == len(expected), said
        for line, part in zip(said.splitlines(), expected, strict=True):
            assert part in line, line
        assert not self.file.exists()
        assert said in self.run("show", code=2)


@pytest.fixture
def system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[System]:
    before = os.umask(0o022)
    yield System(tmp_path, capsys)
    os.umask(before)


def test_the_shipped_unit_is_the_one_of_the_defaults(system: System) -> None:
    assert SHIPPED.read_text() == Unit().text()
    system.config.unlink()
    system.run("show", code=2)  # there is no config, but this would be the unit
    assert system.out == SHIPPED.read_text()


def test_install_writes_the_unit_and_the_places_of_secrets_and_says_what_to_do_next(
    system: System,
) -> None:
    said = system.run("install")
    text = system.file.read_text()
    assert "ExecStart=/opt/nexus/bin/nexus start --config /etc/nexus/nexus.toml\n" in text
    assert "LoadCredential=database_url:/etc/nexus/credentials/database_url\n" in text
    assert "DATABASE_URL_FILE" not in text  # the config says it
    modes = {
        name: stat.S_IMODE((system.root / "etc/nexus" / name).stat().st_mode)
        for name in ("credentials", "nexus.env")
    }
    assert modes == {"credentials": 0o700, "nexus.env": 0o600}
    assert stat.S_IMODE(system.file.stat().st_mode) == 0o644
    assert f"write the URL of the database: install -m 600 /dev/stdin {system.root}/etc" in said
    assert f"systemctl --root {system.root} enable nexus.service" in said


def test_install_is_safe_to_repeat_and_tells_what_it_replaces(system: System) -> None:
    system.run("install")
    system.write("etc/nexus/nexus.env", "NEXUS_BATCH_SIZE=7\n", 0o600)
    before = system.file.stat()
    assert "nothing was changed" in system.run("install")
    assert system.file.stat().st_mtime_ns == before.st_mtime_ns
    system.config.write_text(CONFIG.replace("[database]", "drain_timeout = 99.5\n[database]"))
    assert "-TimeoutStopSec=70\n+TimeoutStopSec=140\n" in system.run("show")
    assert system.file.stat().st_mtime_ns == before.st_mtime_ns
    assert "-TimeoutStopSec=70\n+TimeoutStopSec=140\n" in system.run("install")
    assert "TimeoutStopSec=140\n" in system.file.read_text()
    assert (system.root / "etc/nexus/nexus.env").read_text() == "NEXUS_BATCH_SIZE=7\n"


def test_every_secret_that_the_config_names_is_a_credential(system: System) -> None:
    system.config.write_text(
        CONFIG + '[providers.openai]\napi_key_file = ["openai", "openai-2"]\n'
        '[providers.groq]\napi_key_file = "groq"\n'
    )
    said = system.run("install")
    for name in ("database_url", "openai", "openai-2", "groq"):
        line = f"LoadCredential={name}:/etc/nexus/credentials/{name}\n"
        assert line in system.file.read_text()
        assert f"credentials/{name}\n" in said
    system.write("etc/nexus/credentials/openai", "sk-test-0123456789abcdef0123456789\n")
    assert "openai can be read by others: chmod 600" in system.run("install")


def test_a_database_that_the_config_does_not_name_is_a_credential_all_the_same(
    system: System,
) -> None:
    system.config.write_text('[service]\ndata_dir = "/var/lib/nexus"\n')
    system.run("install")
    assert "Environment=DATABASE_URL_FILE=database_url\n" in system.file.read_text()
    system.write("etc/nexus/nexus.env", "DATABASE_URL=postgresql://me@db.example/x\n", 0o600)
    system.run("install")
    assert "database_url" not in system.file.read_text()


def test_a_config_that_is_missing_or_wrong_is_refused_with_its_mistakes(system: System) -> None:
    system.config.write_text(CONFIG + "pool_size = 0\n[queue]\nbach_size = 7\n")
    system.refuses("nexus.toml:5: database.pool_size", "nexus.toml:7: queue.bach_size")
    system.config.unlink()
    system.refuses(f'no config {system.config}: write one with data_dir = "/var/lib/nexus"')


def test_a_secret_that_is_there_and_wrong_is_refused_without_a_character_of_it(
    system: System,
) -> None:
    system.write("etc/nexus/credentials/database_url", "postgresql://me:canary#1@db.example/x")
    system.refuses("database.url_file: found a value that is not shown")
    assert "canary" not in system.run("install", code=2)


@pytest.mark.parametrize("folder", ["/home/me/data", "~/data", "/srv/nexus", "/var/lib"])
def test_data_that_the_units_user_cannot_write_to_is_refused(system: System, folder: str) -> None:
    system.config.write_text(CONFIG.replace("/var/lib/nexus", folder))
    system.refuses("expected a folder below /var/lib, where the unit's user can write: data_dir =")
    system.config.write_text(CONFIG.replace('data_dir = "/var/lib/nexus"', ""))
    system.refuses("data_dir = /.local/state/nexus: expected a folder below /var/lib")


def test_a_root_that_is_no_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "file").touch()
    for root, why in ((tmp_path / "none", "does not exist"), (file, "is not a folder")):
        assert report.run(["service", "install", "--root", str(root)]) == 2
        assert f"--root {root} {why}" in capsys.readouterr().err


def test_secrets_elsewhere_than_among_the_credentials_are_refused(system: System) -> None:
    system.config.write_text(CONFIG.replace('"database_url"', '"/etc/nexus/url"'))
    system.refuses("/etc/nexus/url", "the file /etc/nexus/url, which the config names")


def venv_at(system: System, place: str) -> None:
    """The venv is in another place, and /opt/nexus leads there."""
    shutil.copytree(system.root / "opt/nexus", system.root / place, symlinks=True)
    shutil.rmtree(system.root / "opt/nexus")
    (system.root / "opt/nexus").symlink_to(f"/{place}")


def home_python(system: System) -> None:
    system.write("opt/nexus/pyvenv.cfg", "home = /root/python/bin\n")


def linked_python(system: System) -> None:
    python = system.root / "opt/nexus/bin/python"
    python.unlink()
    python.symlink_to("../../../home/me/bin/python3")
    system.write("home/me/bin/python3", "", 0o755)


def closed_folder(system: System) -> None:
    (system.root / "opt").chmod(0o750)


def closed_config(system: System) -> None:
    system.config.chmod(0o640)


def no_executable(system: System) -> None:
    (system.root / "opt/nexus/bin/nexus").unlink()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda it: venv_at(it, "home/me/venv"), "hides /home from it (ProtectHome)"),
        (lambda it: venv_at(it, "tmp/venv"), "hides /tmp from it (PrivateTmp)"),
        (home_python, "hides /root from it (ProtectHome)"),
        (linked_python, "hides /home from it (ProtectHome)"),
        (closed_folder, "/opt is closed to others: chmod o+x /opt"),
        (closed_config, "/etc/nexus/nexus.toml is closed to others: chmod o+r"),
        (no_executable, "no executable /opt/nexus/bin/nexus below"),
    ],
)
def test_what_the_units_user_cannot_reach_is_refused(
    system: System, spoil: Callable[[System], None], why: str
) -> None:
    spoil(system)
    system.refuses(why)


def test_names_that_a_unit_would_read_otherwise_are_refused(system: System) -> None:
    for config in ("/etc/nexus/my config%h.toml", "nexus.toml", "/etc/nexus/../x.toml"):
        said = system.run("install", "--config", config, code=2)
        assert "expected an absolute path of letters" in said
    said = system.run("install", "--name", "../x", code=2)
    assert "expected letters, digits, - and _" in said


def test_a_unit_of_somebody_elses_is_neither_replaced_nor_removed(system: System) -> None:
    system.write("etc/systemd/system/nexus.service", "[Service]\nExecStart=/bin/true\n")
    for command in ("install", "uninstall"):
        assert "was not written by nexus service install" in system.run(command, code=1)
    system.file.unlink()
    elsewhere = system.root / "nexus.service"
    elsewhere.write_text(SHIPPED.read_text())
    for target in ("/dev/null", elsewhere):  # masked, or linked
        system.file.unlink(missing_ok=True)
        system.file.symlink_to(target)
        for command in ("install", "uninstall"):
            assert "it is left as it is" in system.run(command, code=1)
        assert system.file.is_symlink()


def test_uninstall_leaves_config_secrets_and_data_and_what_is_enabled(system: System) -> None:
    system.run("install")
    link = system.file.parent / "multi-user.target.wants/nexus.service"
    link.parent.mkdir()
    link.symlink_to("../nexus.service")
    said = system.run("uninstall", code=1)
    assert f"first: systemctl --root {system.root} disable nexus.service" in said
    assert system.file.exists()
    link.unlink()
    assert "the config, its secrets and the data stay" in system.run("uninstall")
    assert not system.file.exists()
    assert system.config.exists()
    assert (system.root / "etc/nexus/credentials").is_dir()
    assert "nothing was changed" in system.run("uninstall")


def test_only_root_changes_the_units_of_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for command in ("install", "uninstall"):
        assert report.run(["service", command]) == 2
        assert "sudo, or --user, or --root DIR" in capsys.readouterr().err


def test_a_unit_of_ones_own_needs_no_root_and_may_be_below_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    config = tmp_path / ".config/nexus/nexus.toml"
    config.parent.mkdir(parents=True)
    nexus = tmp_path / "bin/nexus"
    nexus.parent.mkdir()
    nexus.write_text("#!/usr/bin/env python3\n")
    nexus.chmod(0o755)
    words = ("--user", "--executable", str(nexus))
    assert report.run(["service", "install", *words]) == 2
    assert f"no config {config}: write one; it may be empty" in capsys.readouterr().err
    config.touch()
    assert report.run(["service", "install", *words]) == 0, capsys.readouterr().err
    said = capsys.readouterr().err
    assert "systemctl --user enable --now nexus.service" in said
    text = (tmp_path / ".config/systemd/user/nexus.service").read_text()
    assert "LimitCORE=0\n" in text  # what a watchdog's SIGABRT would leave has secrets in it
    assert f"ExecStart={nexus} start --config {config}\n" in text
    assert "WantedBy=default.target" in text
    assert "DynamicUser" not in text


def test_as_json_it_is_one_document(system: System) -> None:
    system.run("show", "--json")
    told = json.loads(system.out)
    assert told["file"] == str(system.file)
    assert told["unit"].startswith("# Written by")
    assert (told["installed"], told["mistakes"]) == (None, [])


def analyze(*words: str) -> Any:
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60
    )


@needs_systemd
def test_systemd_takes_the_unit_and_finds_it_safe(tmp_path: Path) -> None:
    """The shipped text, with an executable that is here."""
    file = tmp_path / "nexus.service"
    text = SHIPPED.read_text()
    assert f"ExecStart={NEXUS} " in text
    file.write_text(text.replace(f"ExecStart={NEXUS} ", f"ExecStart={sys.executable} "))
    verified = analyze("verify", str(file))
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    found = analyze("security", "--offline=true", "--threshold=19", "--no-pager", str(file))
    assert found.returncode == 0, found.stdout
