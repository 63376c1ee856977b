"""Task types with their complexity, and the words for capabilities."""

import re
from collections.abc import Iterable

from nexus_actors.contract.request import Complexity

COMPLEXITIES: tuple[Complexity, ...] = ("simple", "medium", "complex")

_BY_COMPLEXITY: dict[Complexity, tuple[str, ...]] = {
    "complex": (
        "architect",
        "code_generation",
        "pattern_analyzer",
        "refactoring",
        "code_analysis",
        "qa",
    ),
    "medium": ("coder", "decomposition", "planning", "pseudocode", "chat"),
    "simple": ("classifier", "parser", "simple_chat", "web_search"),
}
TASK_COMPLEXITY: dict[str, Complexity] = {
    task: complexity for complexity, tasks in _BY_COMPLEXITY.items() for task in tasks
}
"""The contract's table. An unlisted task type implies no complexity."""

_CAPABILITY_SYNONYMS: dict[str, tuple[str, ...]] = {
    "code": ("codegen", "coding"),
    "reasoning": ("analysis", "architect", "architecture"),
    "creativity": ("creative", "design"),
    "speed": ("fast",),
    "cost": ("cheap",),
}
_CAPABILITY: dict[str, str] = {
    word: capability
    for capability, synonyms in _CAPABILITY_SYNONYMS.items()
    for word in (capability, *synonyms)
}
CAPABILITIES: tuple[str, ...] = tuple(_CAPABILITY)
"""The contract's words. Others may be used, too."""
_WHITE_SPACE = re.compile(r"\s+")


def normalize_task_type(task_type: str) -> str:
    """Lower-case, stripped, inner white space replaced by one `_`. The result may be empty."""
    return _WHITE_SPACE.sub("_", task_type.strip().lower())


def known_complexity(task_type: str) -> Complexity | None:
    """The complexity of this task type in the table; None if it is not listed."""
    return TASK_COMPLEXITY.get(normalize_task_type(task_type))


def determine_complexity_for_task(
    task_type: str | None, default: Complexity = "medium"
) -> Complexity:
    """The complexity of a task type; `default` if it is not listed."""
    if task_type is None:
        return default
    return known_complexity(task_type) or default


def normalize_capabilities(words: Iterable[str]) -> tuple[str, ...]:
    """Capability words in order, with synonyms resolved and duplicates removed. Unknown words are
    kept, in lower case."""
    lowered = (normalize_task_type(word) for word in words)
    return tuple(dict.fromkeys(_CAPABILITY.get(word, word) for word in lowered if word))
