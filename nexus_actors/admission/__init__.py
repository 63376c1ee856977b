"""Admission: whether and when a call may be made. Circuits, keys, limits per minute, budgets. (The
concurrency limit belongs to the in-work table: `work/concurrency.py`.)"""
