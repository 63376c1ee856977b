"""OpenTelemetry: what became of each request, as a tree of spans.

    conventions.py   what spans and their attributes are called: the one table
    spans.py         a job that leaves, as spans (pure)
    tracer.py        the passive object that the stages tell: which request is traced, what left
    exporting.py     a thread of its own that sends them
    otlp.py          how they are sent; alone imports opentelemetry

That is done by the thread, which there is only where `[tracing] endpoint` is set.
"""
