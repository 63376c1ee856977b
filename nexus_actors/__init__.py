"""Nexus: moves LLM requests from a PostgreSQL queue through provider pools and back.

`supervisors` is the actor runtime underneath; this package is the service on it.
"""

__version__ = "0.1.0"
