"""Whose certificates are trusted: the system's, whatever the environment says."""

import ssl
from functools import cache


@cache
def trusting_context() -> ssl.SSLContext:
    """The one context of the process: to make one is to read every root certificate there is."""
    import httpx2  # here, since 110 ms of imports are nothing for who speaks plain HTTP

    context = httpx2.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context
