"""Monitoring: queries about the whole installation, and actions of operators with their SQL and CLI
forms. The dashboard and the observer show both; neither queries the database by itself."""
