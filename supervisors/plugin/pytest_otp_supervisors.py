"""What the distribution otp-supervisors registers with pytest: the fixture `supervised`.

pytest imports it in every run of the environment. So it is not in the package `supervisors`, whose
import would load trio, too. The first test that uses the fixture imports both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from supervisors.pytest_plugin import Supervised


@pytest.fixture
async def supervised() -> AsyncIterator[Supervised]:
    """Start actors and trees for this test: see supervisors.pytest_plugin."""
    from supervisors.pytest_plugin import trees_of_a_test

    async with trees_of_a_test() as trees:
        yield trees
