"""The client: `async with LLMService() as service: await service.call("simple", messages)`."""

from nexus_actors.client.errors import (
    CallError,
    InvalidArguments,
    ModelUnavailable,
    QuotaExceeded,
    RateLimited,
    RequestFailed,
    Timeout,
    Unavailable,
)
from nexus_actors.client.queues import QueueClient, QueueMessage
from nexus_actors.client.service import CallAnswer, Enqueued, LLMService

__all__ = [
    "CallAnswer",
    "CallError",
    "Enqueued",
    "InvalidArguments",
    "LLMService",
    "ModelUnavailable",
    "QueueClient",
    "QueueMessage",
    "QuotaExceeded",
    "RateLimited",
    "RequestFailed",
    "Timeout",
    "Unavailable",
]
