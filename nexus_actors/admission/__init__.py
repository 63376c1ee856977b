"""May a call be made, and when? Circuits, keys, limits a minute, budgets. (How many at once stands
with the in-work table: `work/concurrency.py`.)
"""
