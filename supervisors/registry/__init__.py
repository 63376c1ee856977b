"""Registry: names, topics and locks of processes."""
