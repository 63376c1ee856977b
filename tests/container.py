"""The Containerfile, read; and carried out in a folder, for machines that can build no image.

Each RUN line runs as it stands, but for the paths, which lie below a folder, and pip's cache, which
it may use. Then ENTRYPOINT and CMD start the service, HEALTHCHECK looks at it, STOPSIGNAL ends it.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.leftovers import own_folder, sweep

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "Containerfile"
PLACES = re.compile(r"(?<![\w./-])/(opt/nexus|src|out|var/lib/nexus)(?![\w.-])")
"""What is below the folder here."""
FOLDERS = "nexus-image-"
"""How the names of folders begin that an image is made in, and of no others."""
PATIENCE = 60.0
"""Seconds for the service to answer, or to end."""


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction."""

    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Its arguments without options; of one that is written as JSON, its words."""
        if self.rest.startswith("["):
            return list(json.loads(self.rest))
        return [it for it in shlex.split(self.rest) if not it.startswith("--")]

    @property
    def is_from_a_stage(self) -> bool:
        """Whether it copies from an earlier stage, and not from here."""
        return "--from=" in self.rest


def read_lines() -> list[Line]:
    """The file's instructions, in order."""
    text = re.sub(r"\\\n\s*", " ", FILE.read_text())
    pairs = (it.split(None, 1) for it in text.splitlines() if it and not it.startswith("#"))
    return [Line(word, rest.strip()) for word, rest in pairs]


def last(word: str) -> Line:
    """The one that holds in the image."""
    return [it for it in read_lines() if it.word == word][-1]


def health_command() -> list[str]:
    """The words of the health check."""
    _, _, command = last("HEALTHCHECK").rest.partition("CMD ")
    return list(json.loads(command))


class Image:
    """A folder in which the instructions are carried out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": os.environ["PATH"]}
        self.place = folder

    def translated(self, text: str) -> str:
        return PLACES.sub(rf"{self.folder}/\1", text)

    def path(self, name: str) -> Path:
        return self.place / self.translated(name)

    def carry_out(self, line: Line) -> None:
        match line.word:
            case "WORKDIR":
                self.place = self.path(line.words[0])
                self.place.mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(line)
            case "RUN":
                print("RUN", line.rest, flush=True)
                command = self.translated(line.rest).replace(" --no-cache-dir", "")
                command = re.sub(r"^python ", f"{sys.executable} ", command)
                began = os.times()
                subprocess.run(["sh", "-ec", command], cwd=self.place, check=True)
                ended = os.times()
                print(f"    {ended.children_user - began.children_user:.1f} s of CPU", flush=True)
            case "ENV":
                pairs = (it.split("=", 1) for it in line.words)
                self.environ |= {name: self.translated(value) for name, value in pairs}

    def _copy(self, line: Line) -> None:
        *sources, target = line.words
        place = self.path(target)
        for name in sources:
            source = self.path(name) if line.is_from_a_stage else ROOT / name
            if source == place:
                continue  # both stages are one folder here
            if source.is_dir():
                shutil.copytree(source, place, dirs_exist_ok=True)
            else:
                shutil.copy(source, place)

    def start(self) -> subprocess.Popen[bytes]:
        """As the image's container does, with a database that is away."""
        words = [*last("ENTRYPOINT").words, *last("CMD").words]
        url = "postgresql://nobody@127.0.0.1:1/away"
        environ = {**self.environ, "DATABASE_URL": url}
        program = self.folder / "opt/nexus/bin" / words[0]
        return subprocess.Popen([program, *words[1:]], cwd=self.place, env=environ)

    def health(self) -> int:
        """The exit code of the health check."""
        program, *words = health_command()
        found = self.folder / "opt/nexus/bin" / program
        return subprocess.run(
            [found, *words], cwd=self.place, env=self.environ, check=False
        ).returncode


def main() -> int:
    """Carry all of it out; 0 if it holds."""
    place = Path(tempfile.gettempdir())
    sweep(place, FOLDERS)
    with own_folder(place, FOLDERS) as folder:
        image = Image(folder)
        for line in read_lines():
            image.carry_out(line)
        service = image.start()
        try:
            deadline = time.monotonic() + PATIENCE
            while image.health() != 0:
                if service.poll() is not None or time.monotonic() > deadline:
                    print("it does not answer")
                    return 1
                time.sleep(0.2)
            service.send_signal(signal.Signals[last("STOPSIGNAL").rest])
            code = service.wait(PATIENCE)
            after = image.health()
        finally:
            service.kill()
        print(f"started, healthy while its database is away, and stopped: {code}; then: {after}")
        return 0 if (code, after) == (0, 3) else 1
