"""The names of all spans and attributes.

They follow the OpenTelemetry semantic conventions of `VERSION`, including those of GenAI and
messaging, which are still in development there. A test compares them with the installed package
`opentelemetry-semantic-conventions`. Names that the conventions lack begin with `nexus.`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

VERSION: Final = "1.44.0"
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{VERSION}"

# -- of the resource

SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
HOST_NAME: Final = "host.name"
PROCESS_PID: Final = "process.pid"

# -- of any span

ERROR_TYPE: Final = "error.type"
OTHER: Final = "_OTHER"
"""The `ERROR_TYPE` of errors without a name."""

# -- of a lease

MESSAGING_SYSTEM: Final = "messaging.system"
PGMQ: Final = "pgmq"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
PROCESS: Final = "process"
MESSAGING_DESTINATION_NAME: Final = "messaging.destination.name"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_MESSAGE_BODY_SIZE: Final = "messaging.message.body.size"

# -- of a call to a provider

GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
CHAT: Final = "chat"
GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
GEN_AI_AGENT_ID: Final = "gen_ai.agent.id"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
GEN_AI_REQUEST_STREAM: Final = "gen_ai.request.stream"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
GEN_AI_RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
"""Seconds."""
GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

PROVIDER_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "anthropic": "anthropic",
        "azure": "azure.ai.openai",
        "deepseek": "deepseek",
        "gemini": "gcp.gemini",
        "gemini_chat": "gcp.gemini",
        "groq": "groq",
        "mistral": "mistral_ai",
        "openai": "openai",
        "xai": "x_ai",
    }
)
"""The conventions' names of providers, by preset or kind. Others have their name in the config."""

# -- ours

REQUEST_ID: Final = "nexus.request.id"
COMPLEXITY: Final = "nexus.complexity"
TASK_TYPE: Final = "nexus.task_type"
DELIVERY: Final = "nexus.delivery"
"""How often the message was delivered so far, including this time."""
OUTCOME: Final = "nexus.outcome"
"""`ok`, the error's name, `given_back` or `lost`."""
WAIT_REASON: Final = "nexus.wait.reason"
ROUTE: Final = "nexus.route"
ROUTE_CANDIDATES: Final = "nexus.route.candidates"
ATTEMPT_NUMBER: Final = "nexus.attempt.number"
ATTEMPT_UNCOUNTED: Final = "nexus.attempt.uncounted"
ATTEMPT_MAYBE_PAID: Final = "nexus.attempt.maybe_paid"
COST: Final = "nexus.cost"
"""US dollars."""
COST_BASIS: Final = "nexus.cost.basis"
PROVIDER: Final = "nexus.provider"
"""The provider's name in the config."""
