"""The web dashboard: pages of the whole installation, on the admin server."""
