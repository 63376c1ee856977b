"""GenServer, and the Agent made of it."""
