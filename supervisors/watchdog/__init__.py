"""Watchdog: who keeps the loop from running."""
