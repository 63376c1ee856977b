"""What a worker of ours would be without this service: an SDK's call, and a row with the answer.

BENCH_URL is the database's, BENCH_SDK says which SDK calls BENCH_UPSTREAM: `openai`, `litellm`, or
none, for a job that has nothing to do.
"""

import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

URL = os.environ.get("BENCH_URL", "")
SDK = os.environ.get("BENCH_SDK", "")
UPSTREAM = os.environ.get("BENCH_UPSTREAM", "")
KEY = "not-a-key"
TABLE = "CREATE TABLE answers (id bigint PRIMARY KEY, answer jsonb NOT NULL)"
STORE = "INSERT INTO answers VALUES ($1, $2)"


def caller() -> Callable[[list[dict[str, str]]], Awaitable[str]] | None:
    """Gives the answer as JSON. One client for all calls, as the SDKs' documents say."""
    if SDK == "openai":
        from openai import AsyncOpenAI

        client = AsyncOpenAI(base_url=UPSTREAM, api_key=KEY)

        async def ask_openai(messages: list[dict[str, str]]) -> str:
            made: Any = messages
            done = await client.chat.completions.create(model="model", messages=made)
            return str(done.model_dump_json())

        return ask_openai
    if SDK == "litellm":
        import litellm

        async def ask_litellm(messages: list[dict[str, str]]) -> str:
            done = await litellm.acompletion(
                model="openai/model", messages=messages, api_base=UPSTREAM, api_key=KEY
            )
            return json.dumps(done.model_dump())

        return ask_litellm
    return None
