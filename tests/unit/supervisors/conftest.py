"""All of these tests run on a virtual clock: an hour takes a millisecond."""

import pytest


@pytest.fixture(autouse=True)
def _virtual_time(autojump_clock):
    return autojump_clock
