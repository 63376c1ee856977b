"""Which field of a call a provider refuses: recognized by a code, or by a closed list of sentences.

Sentences are matched from their first character on, and what they name counts only where it was
sent and is optional (`sent_fields.py`): a message may quote the prompt, but then begins otherwise,
and could at worst cost a request one of its own options.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Refused(NamedTuple):
    """A field of a call, as the provider words it."""

    word: str
    is_value: bool
    """It was its value that was refused, or the field beside another: alone it may be taken."""


_FIELD_CODES: Final = frozenset(
    {"unsupported_parameter", "unknown_parameter", "extra_forbidden", "unrecognized_parameter"}
)
"""OpenAI's and Azure's, and pydantic's."""
_VALUE_CODES: Final = frozenset(
    {"unsupported_value", "invalid_value", "enum", "literal_error", "invalid_parameter_value"}
)
_CODES: Final = _FIELD_CODES | _VALUE_CODES
_WORD: Final = r"[`'\"]?(?P<word>[A-Za-z_][A-Za-z0-9_.\[\]]{0,63})[`'\"]?"
_SENTENCES: Final = tuple(
    (re.compile(pattern), is_value)
    for pattern, is_value in (
        # Anthropic: https://github.com/danielmiessler/Fabric/issues/2109 and many more.
        (rf"{_WORD} is deprecated for this model", False),
        (rf"`\w+` and {_WORD} cannot both be (?:specified|set)", True),
        (rf"{_WORD} must be unset", True),
        (rf"{_WORD} (?:may|can) only be (?:set|used)", True),
        (rf"{_WORD} must be (?:greater|less|one of|between|in) ", True),
        (rf"{_WORD}: Extra inputs are not permitted", False),
        (rf"{_WORD}: Input should be ", True),
        (r"This model does not support the (?P<word>effort) parameter", False),
        (r"This model does not support (?P<word>effort) level", True),
        (r"(?P<word>output_config\.effort)(?::| ')", True),
        (r"[Aa]daptive (?P<word>thinking) is not supported", False),
        (r"(?P<word>Thinking) may not be enabled when tool_choice", True),
        (r"[`'\"](?P<word>thinking)\.type\.\w+[`'\"] is not supported", True),
        # OpenAI and Azure, where no code comes along.
        (rf"Unsupported parameter: {_WORD}", False),
        (rf"Unknown parameter: {_WORD}", False),
        (rf"Unrecognized request arguments? supplied: {_WORD}", False),
        (rf"Unsupported value: {_WORD} does not support ", True),
        (r"(?:Encrypted content|Reasoning encrypted content) is not supported", False),
        # Google: https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
        (
            r"Invalid JSON payload received\. Unknown name \\?\"(?P<word>\w{1,64})\\?\"(?: at"
            r" '(?P<at>(?:generation_config|generationConfig)[\w.]{0,64})')?: Cannot find field",
            False,
        ),
        (r"Invalid value at '(?P<word>[\w.]{1,64})'", True),
        (r"(?P<word>Thinking (?:level|budget)) is not supported", False),
        (r"(?P<word>Thinking level) \w+ is not supported", True),
        (r"The (?P<word>thinking budget) \(-?\d+\) is invalid", True),
        (r"(?P<word>Penalty) is not enabled for ", False),
        # xAI
        (rf"Model [\w.:/-]{{1,128}} does not support parameter {_WORD}", False),
        (rf"Argument not supported on this model: {_WORD}", False),
        # Groq
        (rf"property {_WORD} is unsupported", False),
        (
            r"'messages[^\n]{0,160}property '(?P<word>cache_control)' is unsupported",
            False,
        ),
        # DeepSeek and others that are written in Rust
        (
            rf"Failed to deserialize the JSON body into the target type: {_WORD}: unknown variant",
            True,
        ),
        (
            r"Failed to deserialize the JSON body into the target type: unknown field "
            r"`(?P<word>\w{1,64})`",
            False,
        ),
        # Moonshot, Ollama
        (rf"Validation error for {_WORD}: expected one of", True),
        (r"\"[\w.:/-]{1,128}\" does not support (?P<word>thinking)", False),
        (r"(?P<word>think) value \"\w+\" is not supported", True),
        (rf"invalid {_WORD}: only [\w. ]{{1,40}} (?:is|are) allowed", True),
        # Whoever
        (rf"This model does not support the {_WORD} parameter", False),
        (rf"(?:The )?parameter {_WORD} is not supported (?:by|for|with) this model", False),
        (rf"{_WORD} does not support [\w.]{{1,40}} with this model", True),
        (
            rf"{_WORD} is not (?:supported|allowed|available) (?:with|for|by|on|in) this model",
            False,
        ),
    )
)
"""A sentence's beginning, and whether it refuses the value alone."""
_PROXY: Final = re.compile(r"^litellm\.\w{1,40}: (?:\w{1,40} - )?")
"""What LiteLLM's proxy says before the provider's own sentence."""
_ENCRYPTED: Final = "include"
"""What the sentence without a word is about."""


def refused_field(error: Mapping[str, Any], message: str) -> Refused | None:
    """The field that an error names as its reason."""
    said = [it.lower() for it in (error.get("code"), error.get("type")) if isinstance(it, str)]
    code = next((it for it in said if it in _CODES), None)
    word = error.get("param") or _path(error.get("loc"))
    if code is not None and isinstance(word, str) and (named := _bounded(word)):
        return Refused(named, code in _VALUE_CODES)
    return _in_details(error.get("details")) or _in_words(message)


def _path(loc: Any) -> str | None:
    """FastAPI's `["body", "temperature"]`."""
    if not isinstance(loc, list) or not all(isinstance(it, str | int) for it in loc):
        return None
    return ".".join(str(it) for it in loc[loc[:1] == ["body"] :])


def _in_details(details: Any) -> Refused | None:
    """In Google's `BadRequest`."""
    for detail in details if isinstance(details, list) else ():
        found = detail.get("fieldViolations") if isinstance(detail, Mapping) else None
        for violation in found if isinstance(found, list) else ():
            if isinstance(violation, Mapping) and (named := _violated(violation)):
                return named
    return None


def _violated(violation: Mapping[str, Any]) -> Refused | None:
    description = violation.get("description")
    if isinstance(description, str) and (named := _in_words(description)):
        return named
    place = violation.get("field")
    word = _bounded(place) if isinstance(place, str) else None
    return Refused(word, True) if word else None


def _in_words(message: str) -> Refused | None:
    message = _PROXY.sub("", message, count=1)
    for pattern, is_value in _SENTENCES:
        if found := pattern.match(message):
            named = found.groupdict()
            word = (named.get("word") or _ENCRYPTED).replace(" ", "_").rstrip(".")
            return Refused(f"{named['at']}.{word}" if named.get("at") else word, is_value)
    return None


def _bounded(word: str) -> str | None:
    word = word.strip("`'\" ")[:64]
    return word if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.\[\]]*", word) else None
