"""The admin server: metrics (`/metrics`), health (`/health/…`) and the dashboard over HTTP. It runs
only if `[admin] listen` is set."""
