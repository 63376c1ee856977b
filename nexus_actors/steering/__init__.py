"""Desired state: what operators want, as rows of `nexus.control`, and how it takes effect here."""
