"""Providers of answers: one file a kind, behind the port in `port.py`."""
