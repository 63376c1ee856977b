"""Modules that are imported when a test first uses them.

Every worker imports every test file. The official clients take seconds to import, and few tests
need them.
"""

import importlib
from typing import Any


class Lazy:
    """Stands for a module: `types = Lazy("google.genai.types")`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):  # pytest asks everything in a test file for marks
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self._name), attribute)
