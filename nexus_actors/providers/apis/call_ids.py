"""Ids of calls as a target takes them. Providers are strict about the ids of others: Mistral wants
nine alphanumerics, OpenAI's chat at most 40 characters, Anthropic letters, digits, `_` and `-`.

One deterministic rewrite: an id that fits stays as it is; any other becomes a digest of itself, the
same in a call and in its result, and different from every other id of the conversation.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class CallIds:
    """What a target takes for the id of a call."""

    pattern: re.Pattern[str]
    length: int
    """Characters of an id that is made; it must fit the pattern when made of letters and digits."""

    def rewritten(self, ids: Iterable[str]) -> Mapping[str, str]:
        """For each id of one conversation the one to send."""
        distinct = tuple(dict.fromkeys(ids))
        sent = {it: it for it in distinct if self.pattern.fullmatch(it)}
        used = set(sent)
        for original in distinct:
            if original in sent:
                continue
            salt = 0
            while (made := self._made(original, salt)) in used:
                salt += 1
            used.add(made)
            sent[original] = made
        return sent

    def _made(self, original: str, salt: int) -> str:
        text = f"{salt}\0{original}".encode("utf-8", "replace")
        number = int.from_bytes(blake2b(text, digest_size=32).digest())
        digits = ""
        while len(digits) < self.length:
            number, digit = divmod(number, len(_DIGITS))
            digits += _DIGITS[digit]
        return digits


ANTHROPIC: Final = CallIds(re.compile(r"[a-zA-Z0-9_-]{1,64}"), 24)
"""https://platform.claude.com/docs/en/api/messages: `^[a-zA-Z0-9_-]+$`."""
MISTRAL: Final = CallIds(re.compile(r"[a-zA-Z0-9]{9}"), 9)
OPENAI_CHAT: Final = CallIds(re.compile(r".{1,40}", re.DOTALL), 24)
OPENAI_RESPONSES: Final = CallIds(re.compile(r".{1,64}", re.DOTALL), 24)
