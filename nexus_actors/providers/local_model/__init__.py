"""A model on this machine: its weights, its process, the actor that keeps the process running."""
