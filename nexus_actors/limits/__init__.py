"""When a provider may be called, and by how many at once. Pure cores and one passive table: the
actor that keeps them is `pipeline/provider_breaker.py`."""
