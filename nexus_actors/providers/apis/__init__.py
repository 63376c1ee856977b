"""The APIs that providers speak: how a call is written, what an answer means. Pure."""
