"""The wheels and source distributions: built, installed and run as a user does.

`python -m tests.distributions build FOLDER` is `make dist`. `python -m tests.distributions try`
installs with pip, from an index or pip's cache; tests/dist looks at what is in them, and needs
neither. Both are `make test-dist`.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PLACES = (".", "supervisors")
"""Where nexus-actors is built, and otp-supervisors."""
READMES = ("README.md", "supervisors/README.md")
RELATIVE = re.compile(r"(?<=\]\()(?![a-z]+:)([^()\s]+)(?=\))")
"""Where a link in Markdown leads to that does not name a host."""
PICTURES = (".png", ".svg")
LIMIT = 300.0
"""Seconds for one command."""
OPTIONAL = ("supervisors.contrib.", "supervisors.pytest_plugin.", "pytest_otp_supervisors.")
"""Modules of the library that need more than it requires: each has an extra, or is for pytest."""
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that was built."""

    path: Path

    @property
    def files(self) -> set[str]:
        """The paths in it, without its metadata."""
        with ZipFile(self.path) as archive:
            return {name for name in archive.namelist() if ".dist-info/" not in name}

    @property
    def _metadata(self) -> str:
        with ZipFile(self.path) as archive:
            (name,) = (it for it in archive.namelist() if it.endswith(".dist-info/METADATA"))
            return archive.read(name).decode()

    @property
    def description(self) -> str:
        """What a package index shows of it: its README."""
        return self._metadata.partition("\n\n")[2]

    @property
    def requirements(self) -> list[Requirement]:
        """What it requires without extras."""
        lines = self._metadata.partition("\n\n")[0].splitlines()
        key = "Requires-Dist: "
        return _wanted(line.removeprefix(key) for line in lines if line.startswith(key))

    @property
    def modules(self) -> list[str]:
        """The public modules in it."""
        names = (it.removesuffix(".py") for it in self.files if it.endswith(".py"))
        found = sorted(it.removesuffix("/__init__").replace("/", ".") for it in names)
        return [it for it in found if "._" not in it and not f"{it}.".startswith(OPTIONAL)]


def tracked(*folders: str) -> list[str]:
    """The files that Git knows or would add, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *folders]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if (ROOT / name).is_file()]


def absolute_links(text: str, page: str) -> str:
    """A page's Markdown with links and pictures that lead to the forge. A package index shows a
    README alone, so a link to a file beside it would lead nowhere."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def led(match: re.Match[str]) -> str:
        path, sign, anchor = match[1].partition("#")
        file = ROOT / os.path.normpath(Path(page).parent / path if path else page)
        is_picture = file.suffix in PICTURES
        kind = "raw" if is_picture else "tree" if file.is_dir() else "blob"
        place = file.relative_to(ROOT).as_posix()
        return f"{project['urls']['Homepage']}/{kind}/main/{place}{sign}{anchor}"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
    parts[::2] = [RELATIVE.sub(led, it) for it in parts[::2]]
    return "".join(parts)


@contextmanager
def _copied() -> Iterator[Path]:
    """A copy of the tracked files: nothing else gets into a distribution, and building leaves
    nothing in the working tree. The READMEs in it are as a package index needs them."""
    with tempfile.TemporaryDirectory(prefix="nexus-dist-") as folder:
        for name in tracked("nexus_actors", "supervisors", "*.toml", "README.md", "LICENSE"):
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, Path(folder) / name)
        for name in READMES:
            text = (ROOT / name).read_text(encoding="utf-8")
            (Path(folder) / name).write_text(absolute_links(text, name), encoding="utf-8")
        yield Path(folder)


def build_wheel(place: str, folder: Path) -> Wheel:
    """Build one wheel into that folder; quicker than `build`."""
    (path,) = _build("build_wheel", place, folder).glob("*.whl")
    return Wheel(path)


def build_archive(place: str, folder: Path) -> set[str]:
    """The files in a source distribution, relative to its only folder."""
    (path,) = _build("build_sdist", place, folder).glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {it.name.partition("/")[2] for it in archive if it.isfile()}


def _build(hook: str, place: str, folder: Path) -> Path:
    program = f"from setuptools import build_meta; build_meta.{hook}({str(folder)!r})"
    with _copied() as source:
        run([sys.executable, "-c", program], source / place)
    return folder


def build(folder: Path) -> None:
    """Build all into that folder: source distributions, and from them the wheels."""
    with _copied() as source:
        for place in PLACES:
            words = ["--no-isolation", "--outdir", str(folder), str(source / place)]
            run([sys.executable, "-m", "build", *words], ROOT)


class Environment:
    """A new virtual environment without any package, and a home with nothing in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        venv.EnvBuilder(symlinks=True).create(folder)
        self.home.mkdir()
        (self.packages,) = folder.glob("lib/python3.*/site-packages")

    def install(self, *words: str | Path) -> None:
        """Run `pip install WORDS` for this environment. Bytecode is left to the first import."""
        python = str(self.folder / "bin" / "python")
        run([*PIP, "--python", python, "install", "--no-compile", *map(str, words)], self.home)

    def remove(self, names: Iterable[str]) -> None:
        """Uninstall these distributions from it."""
        python = str(self.folder / "bin" / "python")
        run([*PIP, "--python", python, "uninstall", "--yes", *sorted(names)], self.home)

    def run(self, program: str, *words: str) -> str:
        """Standard output of a program of this environment, started in its home."""
        return run([str(self.folder / "bin" / program), *words], self.home)

    def installed(self) -> set[str]:
        """The names of the distributions in it."""
        program = "from importlib.metadata import distributions as d; print(*(i.name for i in d()))"
        return {canonicalize_name(name) for name in self.run("python", "-c", program).split()}


def run(command: Sequence[str], folder: Path) -> str:
    """Standard output of a command that succeeds, with none of the caller's settings but pip's."""
    kept = ("PATH", "LANG", "TZ", "TMPDIR", "PIP_", "SSL_")
    environ = {name: text for name, text in os.environ.items() if name.startswith(kept)}
    environ["HOME"] = str(folder)
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def closure(requirements: Iterable[Requirement]) -> list[Distribution]:
    """The installed distributions that these requirements need, each once. Their releases fit."""
    found: dict[tuple[str, str], Distribution] = {}
    left = [(it, extra) for it in requirements for extra in ("", *it.extras)]
    while left:
        requirement, extra = left.pop()
        key = (canonicalize_name(requirement.name), extra)
        if key not in found:
            found[key] = distribution(requirement.name)
            assert requirement.specifier.contains(found[key].version, prereleases=True)
            wanted = _wanted(found[key].requires or (), extra)
            left += [(it, more) for it in wanted for more in ("", *it.extras)]
    return list({name: it for (name, _), it in found.items()}.values())


def _wanted(lines: Iterable[str], extra: str = "") -> list[Requirement]:
    """Those of the requirements that hold here."""
    read = map(Requirement, lines)
    return [it for it in read if it.marker is None or it.marker.evaluate({"extra": extra})]


def try_service(environment: Environment) -> None:
    """The installed `nexus` starts, explains itself and finds the files it ships."""
    found = environment.run("python", "-c", "import nexus_actors as it; print(it.__file__)")
    assert Path(found.strip()).is_relative_to(environment.packages)
    assert environment.run("nexus", "--version").strip()
    assert "Usage: nexus" in environment.run("nexus", "--help")
    assert "valid" in environment.run("nexus", "config", "check")


def try_library(environment: Environment, wheel: Wheel) -> None:
    """Every public module of the installed library can be imported, with trio, what trio
    needs, and nothing else."""
    trio = {canonicalize_name(it.name) for it in closure([Requirement("trio")])}
    assert {it.name for it in wheel.requirements} == {"trio", "sniffio"} <= trio
    assert environment.installed() == trio | {"otp-supervisors"}
    assert {"supervisors", "supervisors.testing"} <= set(wheel.modules)
    environment.run("python", "-Werror", "-c", f"import {', '.join(wheel.modules)}")


def try_examples(environment: Environment, archive: Path) -> None:
    """The examples in the source distribution run with the installed library."""
    with tarfile.open(archive) as file:
        file.extractall(environment.home, filter="data")
    examples = sorted(environment.home.glob("*/examples/*.py"))
    assert examples
    for it in examples:
        assert environment.run("python", "-Werror", str(it)).strip(), f"{it.name} prints nothing"


def _try_all(folder: Path) -> None:
    build(folder)
    (service,) = folder.glob("nexus_actors-*.whl")
    (library,) = folder.glob("otp_supervisors-*.whl")
    (archive,) = folder.glob("otp_supervisors-*.tar.gz")
    one = Environment(folder / "service")
    lock = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "-r")
    one.install(*lock, ROOT / "requirements.lock")
    one.install("--no-index", service)  # which fails if the lock lacks what the wheel requires
    # The lock also has what builds this project. The service runs with what its wheel declares.
    declared = {canonicalize_name(it.name) for it in closure(Wheel(service).requirements)}
    declared.add("nexus-actors")
    one.remove(one.installed() - declared)
    assert one.installed() == declared
    try_service(one)
    other = Environment(folder / "library")
    other.install("--only-binary", ":all:", library)
    try_library(other, Wheel(library))
    try_examples(other, archive)
    print(f"{service.name} and {library.name} install and run")


def main() -> int:
    """Build, or build and try with pip; 0 if all of it holds."""
    match sys.argv[1:]:
        case ["build", folder]:
            target = Path(folder).resolve()
            target.mkdir(parents=True, exist_ok=True)
            build(target)
            print(*sorted(target.iterdir()), sep="\n")
        case ["try"]:
            with tempfile.TemporaryDirectory(prefix="nexus-dist-") as temporary:
                _try_all(Path(temporary))
        case _:
            print("usage: python -m tests.distributions build FOLDER | try")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
