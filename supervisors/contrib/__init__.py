"""Connects the runtime to other packages. Nothing else imports these modules:

- `supervisors.contrib.logging`: telemetry events as log records
- `supervisors.contrib.prometheus`: as Prometheus metrics (extra `prometheus`)
- `supervisors.contrib.opentelemetry`: as OpenTelemetry metrics (extra `opentelemetry`)
- `supervisors.contrib.asyncio`: a tree in a thread of its own, called from asyncio code
"""
