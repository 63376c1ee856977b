"""The terminal observer: `nexus observer`, a process of its own."""
