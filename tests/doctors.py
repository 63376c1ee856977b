"""What `nexus doctor` finds, for the tests of it: an installation of a test's own, and a look at
it.
"""

import json
from pathlib import Path
from typing import Any

from nexus_actors.doctor.check import Given
from nexus_actors.doctor.examine import examine
from nexus_actors.doctor.finding import CheckResult

ECHO = '[providers.e]\nkind = "echo"\n[[routes]]\nmodels = ["e/m"]\n'


class House:
    """A folder with a config."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.file = folder / "nexus.toml"
        self.configure()

    def configure(self, toml: str = ECHO, *, url: str = "", **service: Any) -> None:
        """Write the config."""
        values = {"data_dir": str(self.data_dir), **service}
        lines = [f"{name} = {json.dumps(it)}" for name, it in values.items()]
        database = ["[database]", f"url = {json.dumps(url)}"]
        self.file.write_text("\n".join(["[service]", *lines, *database, toml]))

    async def look(
        self, *only: str, environ: dict[str, str] | None = None, **given: Any
    ) -> list[CheckResult]:
        """What these checks find."""
        told = await examine(
            Given(config=self.file, environ=environ or {}, **{"patience": 60.0, **given}),
            only=only,
        )
        return list(told)

    async def find(self, check: str, **given: Any) -> CheckResult:
        """What one check finds, which is one thing."""
        (told,) = await self.look(check, **given)
        return told


def assert_result(told: CheckResult, verdict: str, says: str, fix: str = "") -> None:
    """That it was found, in these words among others, and with a fix that has these."""
    assert told.verdict == verdict, told
    assert says in told.says, told
    assert fix in told.fix, told
    if verdict in ("advice", "wrong"):
        assert told.leads_to, told
        assert told.fix, told
