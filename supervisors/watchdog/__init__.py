"""Watchdog: finds what blocks the loop."""
