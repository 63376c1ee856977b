"""Supervisors: they start, restart and stop other processes by given rules."""
