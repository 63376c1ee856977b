"""Rows and answers as no test has thought of them. `make fuzz` runs all of it; `__main__.py` says
what is looked for."""
