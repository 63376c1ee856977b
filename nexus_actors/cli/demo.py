"""`nexus demo`."""


def demo() -> int:
    """Not there yet."""
    return 1
