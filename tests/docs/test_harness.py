"""What checks the snippets sees what is wrong with them."""

import asyncio
from pathlib import Path

import pytest

from tests.docs.made_pages import fenced, page
from tests.docs.other_snippets import (
    ALONE,
    ELIXIR,
    NOT_PARSED,
    PROMTOOL,
    elixir_mistakes,
    promql_mistakes,
)
from tests.docs.pages import LANGUAGES
from tests.docs.python_snippets import python_mistakes
from tests.docs.sql_snippets import sql_mistakes, statements
from tests.docs.toml_snippets import toml_mistakes

# -- pages


def test_an_indented_block_is_a_fault(tmp_path: Path) -> None:
    read = page(tmp_path, "# Page\n\nText.\n\n    nexus start\n")
    assert read.faults == ("page.md:5: an indented code block; fence it",)


def test_a_paragraph_that_goes_on_in_a_list_is_none(tmp_path: Path) -> None:
    read = page(tmp_path, "- One.\n\n  Two.\n\n      nexus start\n")
    assert read.faults == ("page.md:5: an indented code block; fence it",)
    assert page(tmp_path, "1. One.\n\n   Two.\n").faults == ()


def test_a_fence_without_a_language_is_a_fault(tmp_path: Path) -> None:
    assert fenced(tmp_path, "", "x").faults == ("page.md:3: a fence without a language",)


@pytest.mark.parametrize("language", ["bash", "python title=x", "{note}", "Python"])
def test_a_language_that_is_not_checked_is_a_fault(language: str, tmp_path: Path) -> None:
    (fault,) = fenced(tmp_path, language, "x").faults
    assert fault.startswith(f"page.md:3: {language} is no language that is checked")


@pytest.mark.parametrize("text", ["See {ref}`there`.", ":::{note}\nNote.\n:::"])
def test_what_only_sphinx_understands_is_a_fault(text: str, tmp_path: Path) -> None:
    faults = page(tmp_path, f"# Page\n\n{text}\n").faults
    assert faults[0].startswith("page.md:3: ")
    assert page(tmp_path, "# Page\n\nIn `{ref}` and {} `braces`.\n").faults == ()


def test_every_language_is_checked() -> None:
    assert set(NOT_PARSED) <= set(ALONE)
    apart = {"python", "sql", "toml", "console", "elixir", "promql", "text"}
    assert set(LANGUAGES) == apart | set(ALONE)


def test_a_snippet_in_a_list_is_found_at_its_line(tmp_path: Path) -> None:
    read = page(tmp_path, "1. One\n\n   ```sql\n   SELECT 1;\n   ```\n")
    assert [(it.text, it.where) for it in read.snippets] == [("SELECT 1;\n", "page.md:3")]


# -- python


def python(folder: Path, *sections: str) -> list[str]:
    text = "".join(f"## Section\n\n```python\n{it}\n```\n\n" for it in sections)
    return python_mistakes(page(folder, text).of("python"))


def test_what_a_python_snippet_raises_is_told_with_its_line(tmp_path: Path) -> None:
    (told,) = python(tmp_path, "x = 1\nassert x == 2, 'no'")
    assert told == "page.md:5: AssertionError: no"
    (told,) = python(tmp_path, "x = (1")
    assert told.startswith("page.md:4: SyntaxError")


def test_names_are_shared_within_a_section_only(tmp_path: Path) -> None:
    assert python(tmp_path, "x = 1\n```\n\n```python\nassert x == 1") == []
    (told,) = python(tmp_path, "x = 1", "assert x == 1")
    assert told.endswith("NameError: name 'x' is not defined")


def test_what_awaits_at_the_top_level_runs_within_trio_and_takes_no_time(tmp_path: Path) -> None:
    assert python(tmp_path, "import trio\nawait trio.sleep(1e6)") == []


def test_what_is_printed_is_what_the_snippet_says(tmp_path: Path) -> None:
    assert python(tmp_path, "print(1 + 1)  # 2") == []
    (told,) = python(tmp_path, "print(1 + 1)  # 3")
    assert told == "page.md:3: it says that it prints ['3'], and prints ['2']"


def test_so_it_is_on_the_pages_of_the_client(tmp_path: Path) -> None:
    client = "from nexus_actors.client import LLMService"
    assert python(tmp_path, f"{client}\nprint(1)  # 1") == []
    (told,) = python(tmp_path, f"{client}\nprint(1)  # 2")
    assert told == "page.md:3: it says that it prints ['2'], and prints ['1']"


# -- sql


def sql(folder: Path, url: str, text: str) -> list[str]:
    return asyncio.run(sql_mistakes(url, fenced(folder, "sql", text).of("sql")))


def test_each_broken_statement_is_told_with_its_line(tmp_path: Path, database_url: str) -> None:
    text = "-- fine\nSELECT 1;\n\nSELECT wrong FROM nexus.requests;\nSELECT 2;\nSELEC 3;"
    assert sql(tmp_path, database_url, text) == [
        'page.md:7: column "wrong" does not exist',
        'page.md:9: syntax error at or near "SELEC"',
    ]


def test_statements_leave_nothing(tmp_path: Path, database_url: str) -> None:
    text = "CREATE TABLE new_one (x int);\nINSERT INTO new_one VALUES (1);"
    assert sql(tmp_path, database_url, text) == []
    (told,) = sql(tmp_path, database_url, "SELECT * FROM new_one")
    assert told.endswith('relation "new_one" does not exist')


def test_what_has_parameters_is_prepared(tmp_path: Path, database_url: str) -> None:
    assert sql(tmp_path, database_url, "SELECT nexus.cancel($1, $2);") == []
    (told,) = sql(tmp_path, database_url, "SELECT nexus.cancel($1, $2, $3, $4, $5, $6);")
    assert "does not exist" in told


def test_what_refuses_a_transaction_runs_outside_of_one(tmp_path: Path, database_url: str) -> None:
    index = "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON nexus.requests"
    assert sql(tmp_path, database_url, f"{index} (finished_at);") == []
    (told,) = sql(tmp_path, database_url, f"{index}2 (finished_at);")
    assert told == 'page.md:4: relation "nexus.requests2" does not exist'


def test_a_semicolon_ends_a_statement_where_it_stands_in_no_text() -> None:
    text = "SELECT ';' -- ;\n, $$;$$, $a$;$a$, \"a;b\"; /* ; */\nSELECT 2"
    assert [line for line, _ in statements(text)] == [0, 2]


# -- toml


def toml(folder: Path, text: str) -> list[str]:
    return toml_mistakes(fenced(folder, "toml", text).of("toml"), folder)


@pytest.mark.parametrize(
    "text",
    [
        "[service]\nlog_format = 'json'",
        "[providers.groq]\nkind = 'openai_compatible'\npreset = 'groq'\napi_key_env = 'ANY_KEY'",
        "[providers.openai]\npool_size = 32",
        "[[routes]]\ncomplexity = 'medium'\nmodels = ['groq/m', 'openai/gpt-5']",
        "[[routes]]\npick = 'weighted'\nweights = [2, 1]\nmodels = ['groq/m', 'gemini/m']",
        "[budgets.crawler]\ndollars = 5.0\nprovider = 'openai'",
        "[database]\nurl_file = 'database_url'",
        "[providers.openai]\napi_key_file = '/etc/nexus/credentials/openai'",
    ],
)
def test_a_part_of_a_config_is_accepted(text: str, tmp_path: Path) -> None:
    assert toml(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("[service]\nlog_fromat = 'json'", 5, "service.log_fromat"),
        ("[serivce]\nlog_format = 'json'", 4, "serivce"),
        ("[providers.openai]\npool_size = 'many'", 5, "providers.openai.pool_size"),
        ("[[routes]]\ncomplexity = 'hard'\nmodels = ['groq/m']", 5, "routes[0].complexity"),
        ("[service", 3, "Expected"),
        ("[[routes]]\nmodels = ['opanai/gpt-5']", 5, "routes[0].models[0]"),
        ("[budgets.all]\ndollars = 5.0\nprovider = 'opanai'", 6, "budgets.all.provider"),
    ],
)
def test_an_unknown_setting_or_value_is_told(
    text: str, line: int, named: str, tmp_path: Path
) -> None:
    (told,) = toml(tmp_path, text)
    assert told.startswith(f"page.md:{line}: {named}")


def test_a_provider_of_another_part_of_the_page_is_known(tmp_path: Path) -> None:
    box = "[providers.box]\nkind = 'echo'"
    route = "[[routes]]\nmodels = ['box/m']\n\n[budgets.box]\ndollars = 5.0\nprovider = 'box'"
    assert toml(tmp_path, f"{route}\n```\n\n```toml\n{box}") == []
    assert toml(tmp_path, route) != []


# -- what is only read


@pytest.mark.parametrize(
    ("language", "text", "told"),
    [
        ("json", '{"a": 1', "page.md:3: Expecting"),
        ("json", '{"a": 1}\n{"b": }', "page.md:3: Extra data"),
        (
            "json",
            '{"request_id": "1", "complexity": "hard", "messages": []}',
            "page.md:3: complexity: expected simple, medium or complex",
        ),
        (
            "json",
            '{"request_id": "1", "complexity": "simple", "input": "x", "temprature": 1}',
            "page.md:3: no fields of a request: temprature",
        ),
        (
            "json",
            '{"request_id": "1", "status": "ok", "answer": "x"}',
            "page.md:3: no fields of a result: answer",
        ),
        ("yaml", "a: [1", "page.md:3: while parsing"),
        ("ini", "[a]\nb", "page.md:3: Source contains parsing errors"),
        ("ini", "pool_mode: session", "page.md:4: neither"),
        ("dockerfile", "FROM x\nRUNS y", "page.md:3: RUNS is no instruction"),
        ("nginx", "location / {\n  proxy_pass http://x\n}", "page.md:5: the directive has no ;"),
        ("caddy", "example.com {\n", "page.md:3: 1 blocks begin, 0 end"),
    ],
)
def test_what_cannot_be_read_is_told(language: str, text: str, told: str, tmp_path: Path) -> None:
    (snippet,) = fenced(tmp_path, language, text).of(language)
    (found,) = ALONE[language](snippet)
    assert found.startswith(told)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("json", '{"request_id": "1", "complexity": "simple", "input": "x"}\n{"request_id": "2"}'),
        ("json", '{"request": {"request_id": "1", "complexity": "simple", "input": "x"}}'),
        ("json", '{"request_id": "1", "status": "error", "error": {"type": "timeout"}}'),
        ("ini", "[pgbouncer]\npool_mode = session\npool_mode = transaction"),
        ("ini", "Environment=A=b\nEnvironment=C=d"),
        ("dockerfile", "FROM x\nRUN y \\\n    z"),
    ],
)
def test_what_can_be_read_is_not(language: str, text: str, tmp_path: Path) -> None:
    (snippet,) = fenced(tmp_path, language, text).of(language)
    assert ALONE[language](snippet) == []


@pytest.mark.skipif(ELIXIR is None, reason="Elixir is not installed")
def test_elixir_that_does_not_parse_is_told_with_its_line(tmp_path: Path) -> None:
    broken = fenced(tmp_path, "elixir", "x = 1\ny = (2 +)").of("elixir")
    (told,) = elixir_mistakes(broken, tmp_path)
    assert told.startswith("page.md:5: ")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promql_that_does_not_parse_is_told(tmp_path: Path) -> None:
    good = fenced(tmp_path, "promql", "# rate\nsum(rate(a[5m]))\n\nmax by (job) (b)")
    assert promql_mistakes(good.of("promql"), tmp_path) == []
    (told,) = promql_mistakes(fenced(tmp_path, "promql", "sum(rate(a[5m])").of("promql"), tmp_path)
    assert told.startswith("page.md:3: ")
