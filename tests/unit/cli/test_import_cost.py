"""What a command imports: `nexus status` is asked every few seconds, by people and by machines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nexus_actors.config_file import Place, read_place
from nexus_actors.settings import Settings, load_settings

HEAVY = (
    "asyncpg",
    "trio",
    "trio_asyncio",
    "anyio",
    "pydantic",
    "structlog",
    "httpx2",
    "supervisors",
)
OF_TRACES = ("opentelemetry", "requests")
OF_ADMIN = ("starlette", "hypercorn", "prometheus_client")
ADAPTERS = ("httpx2", "jsonschema_rs", "structlog", "supervisors", "genai_prices")
PROBE = """
import sys
from nexus_actors.cli.report import run
code = run(sys.argv[2:])
print("loaded", *(name for name in sys.argv[1].split(",") if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""


def loaded(names: tuple[str, ...], folder: Path, *command: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, ",".join(names), *command],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "NEXUS_CONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", ["status", "tree", "stop"])
def test_who_watches_a_service_pays_for_no_driver_and_no_settings(
    command: str, tmp_path: Path
) -> None:
    assert loaded(HEAVY, tmp_path, command) == (3, "loaded")


def test_the_database_is_read_without_what_makes_calls(tmp_path: Path) -> None:
    assert loaded(ADAPTERS, tmp_path, "dead", "list") == (3, "loaded")


SERVICE = """
import sys
from pathlib import Path
from nexus_actors.application import Application
from nexus_actors.operations.instance import claim_instance
from nexus_actors.settings import load_settings
settings = load_settings(None, {"HOME": sys.argv[1]})
with claim_instance(Path(sys.argv[1])) as instance, Application(settings, instance).observing():
    print(*sorted({name.split(".")[0] for name in sys.modules} & {*sys.argv[2:]}))
"""


def test_a_service_imports_nothing_for_what_is_not_configured(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVICE, tmp_path, *OF_TRACES, *OF_ADMIN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("\n", "")


CONFIGS = {
    "": True,
    "[service]\ndata_dir = '~/x'": True,
    "[service]\ndata_dir = '~'\ndrain_timeout = 7": True,
    "[service]\ndata_dir = 'here/there'\ndrain_timeout = 0.5": True,
    "[service]\ndata_dir = '/a/../b'\nname = 'x'\n[queue]\nbatch_size = 7": True,
    "[service]\ndata_dir = ''": False,
    "[service]\ndata_dir = 7": False,
    "[service]\ndata_dir = '~nobody-of-this-name/x'": False,
    "[service]\ndrain_timeout = -1": False,
    "[service]\ndrain_timeout = inf": False,
    "[service]\ndrain_timeout = true": False,
    "[service]\ndrain_timeout = 86401": False,
    "service = 7": False,
    "not TOML": False,
}


@pytest.mark.parametrize("way", ["option", "variable", "folder"])
def test_the_place_of_a_service_is_the_one_that_the_settings_name(way: str, tmp_path: Path) -> None:
    file = tmp_path / "config/nexus.toml"
    file.parent.mkdir()
    environ = {
        "HOME": "/home/somebody",
        **({"NEXUS_CONFIG": str(file)} if way == "variable" else {}),
    }
    path, folder = file if way == "option" else None, tmp_path if way == "folder" else Path("/none")
    wrong = []
    for text, is_right in CONFIGS.items():
        file.write_text(text)
        place = read_place(path, environ, folder=folder)
        settings = load_settings(path, environ, folder=folder)
        expected = None  # the settings are asked, and say what is wrong
        if isinstance(settings, Settings):
            expected = Place(settings.service.data_dir, settings.service.drain_timeout)
        if (isinstance(settings, Settings), place) != (is_right, expected):
            wrong.append((text, is_right, place, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_mistake_elsewhere_in_the_config_hides_no_service(tmp_path: Path) -> None:
    file = tmp_path / "nexus.toml"
    file.write_text("[service]\ndata_dir = '/x'\n[queue]\nbach_size = 1")
    assert read_place(file, {}) == Place(Path("/x"), 30.0)
