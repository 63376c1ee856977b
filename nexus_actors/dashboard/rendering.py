"""Renders templates to HTML, off the event loop."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import trio
from jinja2 import Environment, FunctionLoader, StrictUndefined

from nexus_actors.dashboard import charts
from nexus_actors.dashboard.parts import FUNCTIONS, shown

AT_ONCE: Final = 1
"""Pages that are rendered at once: they share the interpreter with the pipeline."""
LIVE: Final = "live"
"""The block that live updates replace."""


class Templates:
    """The dashboard's templates. All values are escaped, and invisible characters are made visible,
    whatever a template does."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(AT_ONCE)
        self._environment = Environment(
            loader=FunctionLoader(_source),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=shown,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(FUNCTIONS)
        self._environment.globals.update(charts.FUNCTIONS)

    async def page(self, template: str, values: Mapping[str, object]) -> bytes:
        """Render a whole page."""
        return await trio.to_thread.run_sync(self._page, template, values, limiter=self._limiter)

    async def live(self, template: str, values: Mapping[str, object]) -> str:
        """Render the block `live` alone."""
        return await trio.to_thread.run_sync(self._live, template, values, limiter=self._limiter)

    def _page(self, template: str, values: Mapping[str, object]) -> bytes:
        return self._environment.get_template(template).render(values).encode()

    def _live(self, name: str, values: Mapping[str, object]) -> str:
        template = self._environment.get_template(name)
        block = template.blocks[LIVE]
        return "".join(block(template.new_context(dict(values))))


def _source(name: str) -> tuple[str, str, None]:
    text = files("nexus_actors.dashboard").joinpath("templates", name).read_text(encoding="utf-8")
    return text, name, None
