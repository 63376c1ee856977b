"""Which field of a request a provider refuses: told by its code, or by a closed list of sentences.

Sentences are matched from their first character on, and only names of parameters that we may send
are taken from them: a message may quote the prompt, and then begins otherwise.
"""

from collections.abc import Mapping

from nexus_actors.providers.optional_fields import OPTIONAL_FIELDS


def request_field(word: str | None, names: Mapping[str, str]) -> str | None:
    """The optional field of `LLMRequest` that a provider calls `word`; None if it is none.

    `names`: those that stand under another name in the body (`Prepared.names`).
    """
    if word is None:
        return None
    found = names.get(word, word)
    return found if found in OPTIONAL_FIELDS else None
