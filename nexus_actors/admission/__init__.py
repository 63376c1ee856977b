"""May a call be made, and when? Circuits, concurrency, keys, limits a minute, budgets."""
