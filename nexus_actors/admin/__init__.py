"""What machines ask a running service over HTTP: its numbers (`/metrics`) and its health
(`/health/…`). There only where `[admin] listen` is set."""
