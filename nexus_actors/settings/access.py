"""`[dashboard.tokens]`: who may log in, and with what."""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from nexus_actors.settings.mistakes import Notes
from nexus_actors.settings.model import AccessToken, DashboardSettings
from nexus_actors.settings.secret_files import read_secret

SHORTEST: Final = 16
"""Characters of a token: `openssl rand -hex 24` gives 48."""
LONGEST: Final = 512
_NAME: Final = re.compile(r"[A-Za-z0-9_.@-]{1,63}")
_TOKEN: Final = re.compile(r"[!-~]+")


def read_access(
    dashboard: DashboardSettings, environ: Mapping[str, str], notes: Notes
) -> tuple[AccessToken, ...]:
    """The tokens whose files can be read; of others a warning, as with providers' keys. What is in
    a file and cannot be a token is a mistake, reported without a character of it."""
    found: list[AccessToken] = []
    for name, one in dashboard.tokens.items():
        path = f"dashboard.tokens.{name}"
        if not _NAME.fullmatch(name):
            notes.add(path, "such a name", "1 to 63 letters, digits, dots, @, - or _")
            continue
        text = read_secret(one.token_file, environ, notes.secrets)
        if isinstance(text, str):
            notes.warnings.append(f"{path} is left out: {text}")
            continue
        token = text.decode("utf-8", "replace").strip()
        why = _wrong(token) or _same(token, found)
        if why is not None:
            expected = f"a file with one token of {SHORTEST} to {LONGEST} characters of ASCII"
            notes.add(f"{path}.token_file", why, f"{expected}, of nobody else")
            continue
        found.append(AccessToken(name, one.role, SecretStr(token)))
    return tuple(found)


def _wrong(token: str) -> str | None:
    if not token:
        return "an empty file"
    if not _TOKEN.fullmatch(token):
        return "a file with more than a token in it"
    if len(token) < SHORTEST:
        return f"a token of less than {SHORTEST} characters"
    return "a token that is too long" if len(token) > LONGEST else None


def _same(token: str, others: list[AccessToken]) -> str | None:
    for other in others:
        if other.secret.get_secret_value() == token:
            return f"the token of {other.name}"
    return None
