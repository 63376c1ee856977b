"""Requests a second beside what one would build instead: see `__main__`."""
