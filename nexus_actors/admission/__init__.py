"""May a call be made, and when? Circuits, keys, limits per minute, budgets. (How many calls at once
is decided with the in-work table: `work/concurrency.py`.)"""
