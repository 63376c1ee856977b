"""GenServer, and Agent, which is based on it."""
