"""Snippets that are read and not run: JSON, Elixir, and the config files of other programs."""

import configparser
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.encode import decode_result, result_fields
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.result import LLMResult
from tests.docs.pages import Snippet, place

ELIXIR: Final = shutil.which("elixir")
PROMTOOL: Final = shutil.which("promtool")
NOT_PARSED: Final = {
    "nginx": "nginx -t needs nginx and the files that are named: braces and ends are looked at",
    "caddy": "caddy adapt needs Caddy: braces are looked at",
}
_INSTRUCTIONS: Final = set(
    re.findall(
        r"\w+",
        "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ONBUILD RUN SHELL STOPSIGNAL"
        " USER VOLUME WORKDIR",
    )
)
_SOMETIMES: Final = {"supersedes", "traceparent"}
"""Of a result."""
_PARSE: Final = """
for file <- System.argv() do
  try do
    Code.string_to_quoted!(File.read!(file))
  rescue
    error ->
      [why | _] = String.split(Exception.message(error), "\\n")
      IO.puts("#{file}\\t#{Map.get(error, :line, 1)}\\t#{why}")
  end
end
"""


def json_mistakes(snippet: Snippet) -> list[str]:
    """One document, or one a line. A request and a result are such by the contract."""
    try:
        found = [(snippet.line, json.loads(snippet.text))]
    except ValueError as whole:
        lines = enumerate(snippet.text.splitlines(), snippet.line + 1)
        try:
            found = [(number, json.loads(line)) for number, line in lines if line.strip()]
        except ValueError:
            return [f"{snippet.where}: {whole}"]
        if len(found) < 2:
            return [f"{snippet.where}: {whole}"]
    return [
        f"{place(snippet.page, line)}: {told}" for line, it in found for told in _by_contract(it)
    ]


def _by_contract(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for it in value:
            yield from _by_contract(it)
    elif isinstance(value, dict) and _is_request(value):
        decoded = decode_request(json.dumps(value))
        if isinstance(decoded, Refusal):
            yield decoded.message
        elif decoded.unknown:
            yield f"no fields of a request: {', '.join(decoded.unknown)}"
    elif isinstance(value, dict) and {"request_id", "status"} <= value.keys():
        result = decode_result(json.dumps(value))
        if not isinstance(result, LLMResult):
            yield f"no result: {result}"
        elif unknown := value.keys() - result_fields(result).keys() - _SOMETIMES:
            yield f"no fields of a result: {', '.join(sorted(unknown))}"


def _is_request(value: Mapping[str, Any]) -> bool:
    inner = value.get("request")
    if isinstance(inner, Mapping) and len(value) == 1:
        return _is_request(inner)
    return bool({"messages", "input"} & value.keys()) and "request_id" in value


def elixir_mistakes(snippets: Sequence[Snippet], folder: Path) -> list[str]:
    """What Elixir cannot parse; one process reads them all."""
    assert ELIXIR is not None
    files = {str(folder / f"{number}.exs"): it for number, it in enumerate(snippets)}
    for name, it in files.items():
        Path(name).write_text(it.text)
    done = subprocess.run(
        [ELIXIR, "-e", _PARSE, "--", *files],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"},
    )
    if done.returncode:
        return [f"elixir: {done.stderr}"]
    told = (line.split("\t", 2) for line in done.stdout.splitlines())
    return [
        f"{place(files[name].page, files[name].line + int(line))}: {why}"
        for name, line, why in told
    ]


def yaml_mistakes(snippet: Snippet) -> list[str]:
    """What YAML cannot be read."""
    try:
        list(yaml.safe_load_all(snippet.text))
    except yaml.YAMLError as error:
        return [f"{snippet.where}: {' '.join(str(error).split())}"]
    return []


def ini_mistakes(snippet: Snippet) -> list[str]:
    """A name may stand twice, as in units of systemd and files of PgBouncer."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        parser.read_string(snippet.text)
    except configparser.MissingSectionHeaderError:
        return _settings_alone(snippet)
    except configparser.Error as error:
        return [f"{snippet.where}: {' '.join(str(error).split())}"]
    return []


def _settings_alone(snippet: Snippet) -> list[str]:
    """A part of a file, without the head of its section."""
    lines = enumerate(snippet.text.splitlines(), snippet.line + 1)
    return [
        f"{place(snippet.page, number)}: neither [SECTION] nor NAME = VALUE"
        for number, line in lines
        if line.strip() and not re.match(r"\s*([#;]|[\w.-]+\s*=)", line)
    ]


def promql_mistakes(snippets: Sequence[Snippet], folder: Path) -> list[str]:
    """What promtool does not read. An expression ends with an empty line."""
    assert PROMTOOL is not None
    told = []
    for number, it in enumerate(snippets):
        texts = [one for one in re.split(r"\n\s*\n", it.text) if _code(one)]
        rules = [{"record": f"r{n}", "expr": one} for n, one in enumerate(texts)]
        file = folder / f"{number}.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "docs", "rules": rules}]}))
        done = subprocess.run(
            [PROMTOOL, "check", "rules", "--lint=none", file],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            told.append(f"{it.where}: {' '.join((done.stdout + done.stderr).split())}")
    return told


def _code(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def dockerfile_mistakes(snippet: Snippet) -> list[str]:
    """Instructions that no image can be built by."""
    text = re.sub(r"\\\n", lambda _: " ", snippet.text)
    words = [line.split()[0] for line in text.splitlines() if line.strip() and line[0] != "#"]
    return [
        f"{snippet.where}: {word} is no instruction"
        for word in words
        if word.upper() not in _INSTRUCTIONS
    ]


def nginx_mistakes(snippet: Snippet) -> list[str]:
    """Each line opens or closes a block, or ends a directive."""
    lines = enumerate(_without_comments(snippet.text), snippet.line + 1)
    return caddy_mistakes(snippet) + [
        f"{place(snippet.page, number)}: the directive has no ; at its end"
        for number, line in lines
        if line and line[-1] not in "{};"
    ]


def caddy_mistakes(snippet: Snippet) -> list[str]:
    """Each block is closed."""
    text = "\n".join(_without_comments(snippet.text))
    if text.count("{") != text.count("}"):
        return [f"{snippet.where}: {text.count('{')} blocks begin, {text.count('}')} end"]
    return []


def _without_comments(text: str) -> list[str]:
    return [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()]


ALONE: Final[Mapping[str, Callable[[Snippet], list[str]]]] = {
    "json": json_mistakes,
    "yaml": yaml_mistakes,
    "ini": ini_mistakes,
    "dockerfile": dockerfile_mistakes,
    "nginx": nginx_mistakes,
    "caddy": caddy_mistakes,
}
"""What one snippet is held to by itself."""
