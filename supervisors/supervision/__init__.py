"""Supervisor and DynamicSupervisor: who starts, restarts and stops others, and by which rules."""
