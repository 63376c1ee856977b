"""The contract's tables of task types and capability words."""

import pytest

from nexus_actors.contract.tasks import (
    determine_complexity_for_task,
    known_complexity,
    normalize_capabilities,
)


@pytest.mark.parametrize(
    ("complexity", "tasks"),
    [
        ("complex", "architect code_generation pattern_analyzer refactoring code_analysis qa"),
        ("medium", "coder decomposition planning pseudocode chat"),
        ("simple", "classifier parser simple_chat web_search"),
    ],
)
def test_every_task_of_the_table_has_its_complexity(complexity: str, tasks: str) -> None:
    assert {known_complexity(task) for task in tasks.split()} == {complexity}


@pytest.mark.parametrize("task", ["Code Generation", "  code \n\t generation ", "CODE_GENERATION"])
def test_case_and_white_space_do_not_matter(task: str) -> None:
    assert determine_complexity_for_task(task) == "complex"


def test_an_unknown_task_has_the_default() -> None:
    assert determine_complexity_for_task("juggling") == "medium"
    assert determine_complexity_for_task("juggling", "simple") == "simple"
    assert determine_complexity_for_task(None, "complex") == "complex"
    assert known_complexity("juggling") is None


def test_synonyms_of_capabilities_are_one_word() -> None:
    words = ["codegen", "coding", "Analysis", "architect", "architecture", "creative", "design"]
    words += ["fast", "cheap", "", "sorcery"]
    assert normalize_capabilities(words) == (
        "code",
        "reasoning",
        "creativity",
        "speed",
        "cost",
        "sorcery",
    )
