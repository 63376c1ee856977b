"""Files that hold a secret: a provider's key, the database's URL."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what `LoadCredential=` names."""
BESIDE: Final = "credentials"
"""The folder beside the config file that stands for it elsewhere."""
_LONGEST: Final = 16_384
"""Bytes; more is something else."""


def folder_beside(config: Path | None) -> Path | None:
    """Where a config's secrets are looked for without systemd."""
    return None if config is None else config.absolute().parent / BESIDE


def read_secret(name: str, environ: Mapping[str, str], beside: Path | None) -> bytes | str:
    """What the file holds, or why it cannot be read, in which is nothing of it.

    A relative name is that of a credential: a file in the folder that systemd has made for this
    process, or, where there is none (a command of an operator's), in `beside`.
    """
    credentials = environ.get(CREDENTIALS, "")
    folder = Path(credentials) if credentials else beside
    try:
        path = Path(name).expanduser()
    except RuntimeError:
        return f"{name}: no home folder is known for ~"
    if not path.is_absolute():
        if folder is None:
            return f"{name} is a relative file, and {CREDENTIALS} is not set"
        path = folder / path
    shown = name if credentials else str(path)
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return f"{shown} is no file"
            # What systemd hands over is guarded by the folder it stands in.
            exposed = status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            if exposed and not (credentials and path.is_relative_to(credentials)):
                return f"{shown} can be read by others: chmod 600"
            text = file.read(_LONGEST + 1)
    except OSError as error:
        return f"{shown}: {(error.strerror or 'cannot be read').lower()}"
    except ValueError:
        return f"{name} is no file's name"
    return text if len(text) <= _LONGEST else f"{shown} is too long"


def _open_at_once(path: str, flags: int) -> int:
    """A pipe's other end is not waited for."""
    return os.open(path, flags | os.O_NONBLOCK)
