"""Whether the programs in Elixir can be run here."""

import shutil
import subprocess
from functools import cache
from typing import Final

NEEDED: Final = "needs Elixir and its driver (Debian: apt-get install elixir erlang-p1-pgsql)"


@cache
def is_here() -> bool:
    """Whether Elixir and the driver are."""
    if shutil.which("elixir") is None:
        return False
    look = "System.halt(if :code.which(:pgsql) == :non_existing, do: 1, else: 0)"
    return subprocess.run(["elixir", "-e", look], check=False).returncode == 0
