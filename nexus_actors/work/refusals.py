"""What a candidate's failures mean for one request: whether to ask again, once, without a field; or
once more unchanged, and what stands if that brings nothing better."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nexus_actors.contract.result import Answer
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.storage.quirks import Quirk

MOST_REPEATS = 5
"""Calls of one request to one candidate at most that are repeated for a refused field."""


@dataclass(slots=True)
class Refusals:
    """Of one request and one candidate."""

    reasons: dict[str, str] = field(default_factory=dict)
    """The refused fields of `LLMRequest`, each with what `dropped` is to say of it."""
    instead: Answer | None = None
    """An answer that says nothing, and stands if no better one comes."""
    _is_repeated: bool = False
    """It was paid for what was no answer, and is asked once more."""
    _values: set[str] = field(default_factory=set)
    """Those of which the value was refused: that says nothing of the field."""

    def note(self, failure: ProviderFailure) -> bool:
        """Take in what a call failed of; whether it is to be repeated at once without a field."""
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
        """False for the second of the failures that are worth one more try at most."""
        if not failure.repeat_once:
            return True
        first, self._is_repeated = not self._is_repeated, True
        return first

    def learnt(self, provider: str, model: str, effort: str) -> Iterator[Quirk]:
        """What an answer without the refused fields teaches of the model."""
        for refused, reason in self.reasons.items():
            if refused not in self._values:
                yield Quirk(
                    provider=provider, model=model, field=refused, effort=effort, reason=reason
                )

    def besides(self, known: Mapping[str, str]) -> Mapping[str, str]:
        """These fields, and those that are known already."""
        return {**known, **self.reasons} if self.reasons else known
