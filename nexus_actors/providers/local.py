"""`local`: a model on this machine, in a process of the service's own. No key, no network.

Meant to show that the pipe holds water, and for small models of one's own: `model_file` is any GGUF
file that llama.cpp can load. `nexus local-model install` brings the engine and a toy.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Self

import trio
from pydantic import Field, SecretStr, model_validator

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers import openai_compatible
from nexus_actors.providers.local_model import weights
from nexus_actors.providers.local_model.address import Address, Down, Listening
from nexus_actors.providers.local_model.server import LocalModelServer
from nexus_actors.providers.openai_compatible import OpenAICompatibleSettings
from nexus_actors.providers.port import (
    NOTHING,
    ModelSettings,
    OnText,
    Outcome,
    ProviderFailure,
    ProviderSession,
    ProviderSettings,
)

_SERVER: Final = "llama_cpp"
"""The preset for its process."""


class LocalSettings(ProviderSettings):
    """Settings of the kind `local`."""

    pool_size: int = Field(default=2, ge=1, le=64)
    """The most concurrent calls. Each has its own share of the model's memory."""
    model_file: str | None = None
    """A GGUF file. Without it, the model that `nexus local-model install` has installed."""
    model: str = weights.MODEL
    """The model's name in routes. No other name is served."""
    context_window: int = Field(default=2048, ge=256)
    """The most tokens of one call, input and output together."""
    max_tokens: int = Field(default=512, ge=1)
    """The longest answer, in tokens."""
    threads: int = Field(default_factory=lambda: max(1, (os.cpu_count() or 1) - 1), ge=1, le=1024)
    """Threads that compute. Without it, one less than the machine's processors."""
    start_timeout: float = Field(default=120.0, gt=0, le=3600)
    """How long loading the model may take."""
    idle_timeout: float = Field(default=60.0, gt=0)
    """How long a streamed answer may take to begin, and to go on after each piece."""

    @model_validator(mode="after")
    def _describe_model(self) -> Self:
        """What is known of the model stands in `models`, where routing looks."""
        facts = ModelSettings(
            context_window=self.context_window,
            max_output_tokens=self.max_tokens,
            input_price=0.0,
            output_price=0.0,
        )
        given = self.models.get(self.model)
        known = {} if given is None else {it: getattr(given, it) for it in given.model_fields_set}
        self.models[self.model] = facts.model_copy(update=known)
        return self

    def server(self, request: LLMRequest) -> str:
        """What its process is."""
        return _SERVER


class LocalSession:
    """One worker's way to the model, wherever its process listens just now."""

    def __init__(self, name: str, settings: LocalSettings, address: Address) -> None:
        self._name = name
        self._settings = settings
        self._address = address
        self._listening: Listening | None = None
        self._session: ProviderSession | None = None
        self._open = AsyncExitStack()

    async def complete(
        self,
        request: LLMRequest,
        model: str,
        *,
        timeout: float,
        on_text: OnText | None = None,
        without: Mapping[str, str] = NOTHING,
        key_name: str | None = None,
    ) -> Outcome:
        """Make one call, first waiting until the model is loaded, for `timeout` seconds in all."""
        if model != self._settings.model:
            return _unavailable(model, self._settings.model)
        began = trio.current_time()
        session: ProviderSession | ProviderFailure | None = None
        with trio.move_on_after(timeout):
            session = await self._session_there()
        match session:
            case None:
                message = "the model is still being loaded"
                return ProviderFailure(type=ErrorType.TIMEOUT, message=message, retryable=True)
            case ProviderFailure():
                return session
        left = timeout - (trio.current_time() - began)
        return await session.complete(
            request, model, timeout=left, on_text=on_text, without=without, key_name=key_name
        )

    async def _session_there(self) -> ProviderSession | ProviderFailure:
        """A session with the process that listens now."""
        here = await self._address.known()
        if isinstance(here, Down):
            return ProviderFailure(
                type=ErrorType.CONNECTION_FAILED, message=here.why, retryable=True
            )
        if here != self._listening or self._session is None:
            await self.aclose()
            settings, key = _http(self._settings, here)
            opened = openai_compatible.PROVIDER.open(self._name, settings, key)
            self._session = await self._open.enter_async_context(opened)
            self._listening = here
        return self._session

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        self._session = None
        await self._open.aclose()


def _http(settings: LocalSettings, here: Listening) -> tuple[OpenAICompatibleSettings, SecretStr]:
    """The same as calls to a llama.cpp server of somebody else's."""
    http = OpenAICompatibleSettings(
        kind="openai_compatible",
        preset=_SERVER,
        base_url=f"{here.url}/v1",
        free=True,
        timeout=settings.timeout,
        idle_timeout=settings.idle_timeout,
        models=settings.models,
    )
    return http, SecretStr(here.api_key)


def _unavailable(model: str, served: str) -> ProviderFailure:
    return ProviderFailure(
        type=ErrorType.MODEL_UNAVAILABLE,
        message=f"this machine serves {served}, not {model}",
        retryable=False,
        scope="request",
    )


class ServedLocal:
    """The kind, for one provider: its sessions know where that one's process listens."""

    settings: type[ProviderSettings] = LocalSettings

    def __init__(self, name: str, settings: LocalSettings) -> None:
        self._name = name
        self._settings = settings
        self._address = Address()

    def server(self) -> LocalModelServer:
        """A new actor, that runs the process."""
        own = self._settings
        wanted = {
            "model_file": str(weights.weights_path(own.model_file)),
            "model": own.model,
            "calls_at_once": own.pool_size,
            "context_window": own.context_window,
            "max_tokens": own.max_tokens,
            "threads": own.threads,
        }
        return LocalModelServer(self._name, wanted, own.start_timeout, self._address)

    @asynccontextmanager
    async def open(
        self, name: str, settings: LocalSettings, _api_key: SecretStr | None
    ) -> AsyncIterator[ProviderSession]:
        """A session for one worker."""
        session = LocalSession(name, settings, self._address)
        try:
            yield session
        finally:
            await session.aclose()


class LocalKind:
    """The kind `local`."""

    settings: type[ProviderSettings] = LocalSettings
    server_settings = frozenset(
        {
            "model_file",
            "model",
            "context_window",
            "max_tokens",
            "threads",
            "start_timeout",
            "models",
        }
    )

    def missing(self, settings: LocalSettings) -> str | None:
        """Why the model cannot be served here; None if it can."""
        return weights.missing(settings.model_file)

    def serve(self, name: str, settings: LocalSettings) -> ServedLocal:
        """The kind with a server of its own."""
        return ServedLocal(name, settings)


PROVIDER = LocalKind()
