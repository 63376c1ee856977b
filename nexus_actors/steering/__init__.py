"""What an operator wants of this service, by rows in `nexus.control`, and how it comes about."""
