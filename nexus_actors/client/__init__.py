"""The client: `async with LLMService() as service: await service.call("simple", messages)`."""

from nexus_actors.client.answers import CallAnswer, CancelOutcome, Enqueued
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
from nexus_actors.client.service import LLMService
from nexus_actors.client.stream import AnswerStream, Restarted

__all__ = [
    "AnswerStream",
    "CallAnswer",
    "CallError",
    "CancelOutcome",
    "Enqueued",
    "InvalidArguments",
    "LLMService",
    "ModelUnavailable",
    "QueueClient",
    "QueueMessage",
    "QuotaExceeded",
    "RateLimited",
    "RequestFailed",
    "Restarted",
    "Timeout",
    "Unavailable",
]
