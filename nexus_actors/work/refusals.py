"""What one candidate has refused of one request, and so whether to repeat the call: without a
refused field, or once more unchanged after a useless response."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nexus_actors.contract.result import Answer
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.storage.quirks import Quirk

MOST_REPEATS = 5
"""The most calls that are repeated without a refused field, per request and candidate."""


@dataclass(slots=True)
class Refusals:
    """The refusals of one request by one candidate."""

    reasons: dict[str, str] = field(default_factory=dict)
    """Refused fields of `LLMRequest`, each with what the result's `dropped` is to say."""
    instead: Answer | None = None
    """An empty answer, to be used if no better one comes."""
    _is_repeated: bool = False
    """A paid response was no usable answer, so the call was repeated once."""
    _values: set[str] = field(default_factory=set)
    """Fields of which only the value was refused, which proves nothing about the field."""

    def note(self, failure: ProviderFailure) -> bool:
        """Record a failed call. Returns whether to repeat it at once without the refused field."""
        self.instead = failure.instead or self.instead
        refused = failure.refused_field
        if refused is None or refused in self.reasons or len(self.reasons) >= MOST_REPEATS:
            return False
        code = "unsupported_value" if failure.refused_value else "unsupported_parameter"
        self.reasons[refused] = f"refused by the model ({code})"
        if failure.refused_value:
            self._values.add(refused)
        return True

    def may_repeat(self, failure: ProviderFailure) -> bool:
        """Whether a retry is allowed: after a failure with `repeat_once`, only the first time."""
        if not failure.repeat_once:
            return True
        first, self._is_repeated = not self._is_repeated, True
        return first

    def learnt(self, provider: str, model: str, effort: str) -> Iterator[Quirk]:
        """What an answer without the refused fields proves about the model."""
        for refused, reason in self.reasons.items():
            if refused not in self._values:
                yield Quirk(
                    provider=provider, model=model, field=refused, effort=effort, reason=reason
                )

    def besides(self, known: Mapping[str, str]) -> Mapping[str, str]:
        """The fields to leave out: those already `known` and those refused here."""
        return {**known, **self.reasons} if self.reasons else known
