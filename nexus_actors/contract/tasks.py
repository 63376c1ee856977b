"""Task types, the complexity each stands for, and the words for capabilities."""

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
"""The contract's table. A task type that is not in it says nothing about complexity."""

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
"""The words that the contract has; any other may be used, too."""
_WHITE_SPACE = re.compile(r"\s+")


def normalize_task_type(task_type: str) -> str:
    """Lower-case, outer white space off, inner runs of it as one `_`. May end empty."""
    return _WHITE_SPACE.sub("_", task_type.strip().lower())


def known_complexity(task_type: str) -> Complexity | None:
    """The complexity the table gives this task type, or None if the table does not know it."""
    return TASK_COMPLEXITY.get(normalize_task_type(task_type))


def determine_complexity_for_task(
    task_type: str | None, default: Complexity = "medium"
) -> Complexity:
    """The complexity of a task type; `default` where the table does not know it."""
    if task_type is None:
        return default
    return known_complexity(task_type) or default


def normalize_capabilities(words: Iterable[str]) -> tuple[str, ...]:
    """Capability words, synonyms resolved, in order, each once. Unknown ones stay, lower-case."""
    lowered = (normalize_task_type(word) for word in words)
    return tuple(dict.fromkeys(_CAPABILITY.get(word, word) for word in lowered if word))
