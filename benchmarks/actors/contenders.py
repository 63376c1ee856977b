"""Who is measured, and how each one's worker is started."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

OURS = "ours"


@dataclass(frozen=True, slots=True)
class Contender:
    """A column of the table. `version`: of what it runs on; None if that is not there."""

    title: str
    command: tuple[str, ...]
    version: Callable[[], str | None]


def _installed(package: str) -> str | None:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return None


def _erlang() -> str | None:
    if shutil.which("escript") is None or shutil.which("erl") is None:
        return None
    ask = "io:put_chars(erlang:system_info(otp_release)), halt()."
    command = ["erl", "-noshell", "-eval", ask]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return f"OTP {done.stdout}, one scheduler"


NEWER = Path(__file__).parents[2] / ".venv-newer" / "bin" / "python"
"""For who wants a newer Python; made by `make bench` where there is one."""


def _installed_there(package: str) -> str | None:
    if not NEWER.exists():
        return None
    ask = (
        "import platform, sys, importlib.metadata as m;"
        "print(sys.argv[1], m.version(sys.argv[1]), 'on', platform.python_version(), end='')"
    )
    command = [str(NEWER), "-c", ask, package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout or None


def _python(module: str, title: str, package: str) -> Contender:
    command = (sys.executable, "-m", "benchmarks.actors.worker", module)
    return Contender(title, command, partial(_installed, package))


CONTENDERS = {
    OURS: _python("ours", "ours", "trio"),
    "channel": _python("channel", "trio channel", "trio"),
    "parked": _python("parked", "trio deque", "trio"),
    "pykka": _python("pykka_actors", "pykka", "pykka"),
    "xoscar": _python("xoscar_actors", "xoscar", "xoscar"),
    "thespian": _python("thespian_actors", "thespian", "thespian"),
    "otpylib": _python("otpylib_actors", "otpylib", "otpylib"),
    "triotp": Contender(
        "triotp",
        (str(NEWER), "-m", "benchmarks.actors.worker", "triotp_actors"),
        partial(_installed_there, "triotp"),
    ),
    "erlang": Contender("Erlang", ("escript", str(Path(__file__).with_name("otp.erl"))), _erlang),
}
