"""`nexus doctor`: checks that find what is wrong with an installation.

Each check inspects one thing and returns findings (`finding.py`); it changes nothing and costs
nothing. `examine` runs the checks in parallel, each with a time limit, so none blocks another. They
need neither a running service nor a reachable database: what cannot be inspected is reported as not
checked.
"""
