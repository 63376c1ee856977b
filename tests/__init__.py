"""A package, so that a `tests` some other project has installed is never taken for ours."""
