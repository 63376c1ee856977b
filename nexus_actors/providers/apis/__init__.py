"""The APIs of providers: how a call is written and what an answer means. Pure."""
