"""What is used where no config says otherwise: the four known providers and the routing table.

Model names were current in November 2026. The contract's "Codex class" is OpenAI's Sol: the models
named codex are shut down or speak the Responses API only.
"""

from typing import Any, Final

PROVIDERS: Final[dict[str, dict[str, Any]]] = {
    "openai": {
        "kind": "openai",
        "base_url": "https://api.openai.com/v1",
        "api_key_env": "OPENAI_API_KEY",
    },
    "anthropic": {
        "kind": "anthropic",
        "api_key_env": "ANTHROPIC_API_KEY",
    },
    "gemini": {
        "kind": "gemini",
        "api_key_env": "GEMINI_API_KEY",
    },
    "groq": {
        "kind": "openai_compatible",
        "preset": "groq",
        "api_key_env": "GROQ_API_KEY",
    },
}

CODEX: Final = "openai/gpt-6.1-sol"
GPT: Final = "openai/gpt-6.1-terra"
SMALL_GPT: Final = "openai/gpt-6-luna"
SONNET: Final = "anthropic/claude-sonnet-5-5"
OPUS: Final = "anthropic/claude-opus-5-5"
FLASH: Final = "gemini/gemini-3.8-flash"
SMALL_GROQ: Final = "groq/openai/gpt-oss-20b"
LARGE_GROQ: Final = "groq/openai/gpt-oss-120b"

# The contract's choices come first. The last resorts after them let any one key serve every route.
_LAST: Final = [FLASH, LARGE_GROQ]


def _route(complexity: str, task_type: str, *models: str) -> dict[str, Any]:
    return {"complexity": complexity, "task_type": task_type, "models": list(models)}


ROUTES: Final[list[dict[str, Any]]] = [
    _route("simple", "*", FLASH, SMALL_GPT, SMALL_GROQ, SONNET),
    _route("medium", "coder", CODEX, GPT, SONNET, *_LAST),
    _route("medium", "planning", GPT, SONNET, *_LAST),
    _route("medium", "*", SONNET, GPT, *_LAST),
    _route("complex", "architect", CODEX, SONNET, OPUS, *_LAST),
    _route("complex", "code_generation", CODEX, SONNET, OPUS, *_LAST),
    _route("complex", "refactoring", CODEX, SONNET, OPUS, *_LAST),
    _route("complex", "*", OPUS, SONNET, CODEX, *_LAST),
]

ECHO: Final = "echo"
ECHO_PROVIDERS: Final[dict[str, dict[str, Any]]] = {ECHO: {"kind": "echo"}}
ECHO_ROUTES: Final[list[dict[str, Any]]] = [_route("*", "*", f"{ECHO}/{ECHO}")]
