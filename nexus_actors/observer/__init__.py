"""The terminal observer: `nexus observer`, a separate process."""
