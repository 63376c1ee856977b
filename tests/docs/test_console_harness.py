"""What checks the commands of the pages, and what they print, sees what is wrong with them."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.docs import commands, output
from tests.docs.console import console_mistakes
from tests.docs.made_pages import fenced, page
from tests.docs.pages import ROOT, pages
from tests.docs.sandbox import Sandbox
from tests.docs.shell import read_console, simple_commands
from tests.docs.user import User

FORGE = "https://github.com/nexus-actors/nexus-actors"
needs_git = pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="there is no git here"
)
NEXT = "\n```\n\n## Next\n\n```console\n"
NOT_COMPARED = "it is not run, so what stands below it is compared with nothing"


def console(folder: Path, sandbox: Sandbox, text: str) -> list[str]:
    return console_mistakes(fenced(folder, "console", text), sandbox)


def test_a_console_is_read_line_by_line(tmp_path: Path) -> None:
    text = (
        "# first\n$ nexus ask \\\n    hello\nhello back\n\n"
        "$ cat > a.toml <<'EOF'\n[service]\n$ no prompt\nEOF\n"
        "$ nexus remote\n>>> 1 + 1\n2\n>>> 3"
    )
    (snippet,) = fenced(tmp_path, "console", text).of("console")
    read, faults = read_console(snippet)
    assert faults == []
    assert [(it.line, it.text, it.typed, it.shown) for it in read] == [
        (5, "nexus ask hello", (), ("hello back",)),
        (9, "cat > a.toml <<'EOF'\n[service]\n$ no prompt\nEOF", (), ()),
        (13, "nexus remote", ("1 + 1", "3"), ("2",)),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nexus start", "page.md:4: a console block begins with a command: $ COMMAND"),
        ("$ nexus start  # once", "page.md:4: a comment stands on a line of its own, before"),
        ("$ nexus ask 'open", "page.md:4: No closing quotation"),
    ],
)
def test_a_line_that_is_none_of_anything_is_told(text: str, told: str, tmp_path: Path) -> None:
    (snippet,) = fenced(tmp_path, "console", text).of("console")
    _, (fault, *_) = read_console(snippet)
    assert fault.startswith(told)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nexus ask 'a | b' > x 2>&1", [["nexus", "ask", "a | b"]]),
        ("A=1 nexus status --json | jq '.a'", [["nexus", "status", "--json"], ["jq", ".a"]]),
        ("cd x && nexus start &", [["cd", "x"], ["nexus", "start"]]),
        ('psql "$(nexus db url)" -c "SELECT 1"', None),
    ],
)
def test_each_program_of_a_line_is_found(text: str, found: list[list[str]] | None) -> None:
    programs = simple_commands(text)
    if found is None:
        assert [it[0] for it in programs] == ["psql", "nexus"]
    else:
        assert programs == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("$ nexus ask hello\necho: hello", None),
        ("$ nexus ask hello\necho: bye", "it does not print 'echo: bye'"),
        ("$ nexus ask --no-such-option hello", "nexus ask --no-such-option hello: Unknown option"),
        ("$ nexus starts", 'nexus starts: Unknown command "starts"'),
        ("$ nexus start --no-such-option", "nexus start --no-such-option: Unknown option"),
        ("$ sudo nexus stats", 'nexus stats: Unknown command "stats"'),
        ("$ nexus --version | tail -1", None),
        ("$ nexus pause provider openai --until yesterday", "exit code 2: "),
        ("$ nexus explain ID\n$ nexus result ID --wait\n$ nexus cancel request-1", None),
        ("$ nexus drain nexus@host2\n$ nexus resume node nexus@host2", None),
        ("$ nexus enqueue batch.jsonl\nfirst\nsecond", None),
        ("$ nexus config show > ~/shown/config\n$ head shown/config\n[service]\n…", None),
        ("$ nexus remote\n>>> 'a' + 'b'\n'ab'", None),
        ("$ nexus remote\n>>> 'a' + 'b'\n'ba'", "it does not print \"'ba'\""),
        ("$ nexus remote\n>>> nobody", "exit code 1: "),
        ("$ make no-such-target", "make: *** No rule to make target"),
        ("$ make demo KEPT=1", "the Makefile knows no KEPT"),
        ("$ make demo KEEP=1", None),
        ("$ python -m no.such.module", "python -m no.such.module: there is no such module"),
        ("$ python -m benchmarks.latency", None),
        ("$ python -m benchmarks.soak", "python -m is in no table"),
        ("$ python -m pytest tests/no_such.py", "there is no tests/no_such.py"),
        ("$ podman build -t nexus -f Containerfile .", None),
        ("$ podman build -t nexus -f Dockerfile .", "there is no Dockerfile"),
        ("$ podman exec nexus nexus status", None),
        ("$ podman exec nexus nexus stats", 'nexus stats: Unknown command "stats"'),
        ("$ frobnicate --all", "frobnicate --all is in no table"),
        ("$ nexus dead list --help", None),
        ("$ nexus frobnicate --help", 'nexus frobnicate --help: Unknown command "frobnicate"'),
        ("$ sudo nexus frobnicate --help", 'nexus frobnicate --help: Unknown command "frobnicate"'),
        ("$ sudo frobnicate", "sudo frobnicate: no nexus behind sudo"),
        ("$ ssh host1 nexus status", "ssh host1 is in no table"),
        ("$ ./no_such_script.sh", "no_such_script.sh is in no table"),
        ("$ ./Makefile", None),
        ("$ bash nope.sh", "bash nope.sh is in no table"),
        ("$ python nope.py", "there is no nope.py"),
        ("$ python -c 1", "python -c 1: no module"),
        ("$ python -m cProfile -m nexus_actors.cli stats", 'nexus stats: Unknown command "stats"'),
        ("$ pytest nope.py", "there is no nope.py"),
        ("$ elixir examples/elixir/nope.exs", "there is no examples/elixir/nope.exs"),
        ("$ git frobnicate", "git frobnicate is in no table"),
        ("$ pip install no-such-thing-xyz", "no lock has no-such-thing-xyz"),
        ("$ pip install otp-supervisors", "otp-supervisors is on no index yet"),
        ("$ pip install -r requirements.lok", "there is no requirements.lok"),
        ("$ pip install ./nowhere", "there is no package in ./nowhere"),
        ("$ pip install './supervisors[prometheu]'", "./supervisors has no extra prometheu"),
        ("$ pip install './supervisors[prometheus]' trio", None),
        (
            "$ pip install git+https://elsewhere.example/x",
            "git+https://elsewhere.example/x: not our",
        ),
        ("$ python -m pip install no-such-thing-xyz", "no lock has no-such-thing-xyz"),
        ("$ uv tool frob", "uv tool is in no table"),
        ("$ uv tool install no-such-thing-xyz", "no lock has no-such-thing-xyz"),
        ("$ make demo\n14 requests, all answered", NOT_COMPARED),
        ("$ nexus drill\n4,500 results", NOT_COMPARED),
        ("$ nexus start\nlies", "it does not print 'lies'"),
        ("$ nexus start | head -1\nlies", NOT_COMPARED),
        (f"$ nexus stop\nstopped (pid 1)\n$ nexus tree{NEXT}$ nexus tree", "exit code 3: "),
        ("$ nexus top\nlies", "it does not print 'lies'"),
        ("$ nexus observer --all > file\nlies", NOT_COMPARED),
        (
            "$ nexus actor start ResultPoller",
            "exit code 1: nexus: ResultPoller: the child is running",
        ),
        ("$ nexus remote\n>>> 'a'\n'a'\n$ sudo nexus status\nlies", "it does not print 'lies'"),
        ("$ podman exec nexus nexus status | head -1\nlies", NOT_COMPARED),
        ("$ systemctl restart 'nexus", "No closing quotation"),
        ("$ systemctl restart --noww nexus", "systemctl: unrecognized option '--noww'"),
        ("$ ssh -L 9464 ops@db-1", "Bad local forwarding specification '9464'"),
        ("$ pg_basebackup --nosuch=x", "pg_basebackup has no option --nosuch"),
        ("$ systemctl restart nexus (all)", "-c: line 1: syntax error"),
        ('$ psql "$(nexus db url)" -Atc "SELECT 1 + 1"\n2', None),
        ('$ psql "$(nexus db url)" -Atc "SELECT wrong"', "exit code 1"),
        pytest.param(
            f"$ git clone -q {FORGE} here\n$ cd here\n$ ls LICENSE\nLICENSE", None, marks=needs_git
        ),
        pytest.param(
            "$ git clone -q https://elsewhere.example/x", "exit code 128: ", marks=needs_git
        ),
        ("$ export A=1 B=2\n$ ls $A$B", "exit code 2: ls: cannot access '12'"),
        ("$ cd no-such-folder", "exit code 1: "),
        ("$ (umask 077; nexus --version > /opt/key)\n$ ls -l /opt\n-rw------- … key", None),
        (
            "$ install -m 600 /dev/stdin /etc/no-such-folder/x",
            "exit code 1: install: cannot create",
        ),
        ("$ ln -s /etc/a /usr/local/bin/b\n$ ls /usr/local/bin\nb", None),
        ("$ nexus service uninstall\nlies", "it does not print 'lies', but: there is no /tmp"),
    ],
)
def test_a_command_is_held_to_what_it_says(
    text: str, told: str | None, tmp_path: Path, sandbox: Sandbox
) -> None:
    found = console(tmp_path, sandbox, text)
    if told is None:
        assert found == []
    else:
        assert len(found) == 1, found
        assert found[0].partition(": ")[2].startswith(told)


@pytest.mark.parametrize(("text", "code"), [("Save it as `mine.toml`:", None), ("It is:", 2)])
def test_a_config_is_there_if_the_page_tells_to_save_it(
    text: str, code: int | None, tmp_path: Path, sandbox: Sandbox
) -> None:
    export = '$ export NEXUS_CONFIG="$PWD/mine.toml"\n$ nexus config check'
    made = page(tmp_path, f"{text}\n\n```toml\n[service]\n```\n\n```console\n{export}\n```\n")
    found = console_mistakes(made, sandbox)
    assert [it.partition(": ")[2].split(": ")[0] for it in found] == (
        [] if code is None else [f"exit code {code}"]
    )


def test_after_a_program_that_is_not_installed_the_section_is_only_read(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "has", lambda _, program: program != "git")
    text = f"$ git clone {FORGE} here\n$ cd here\n$ ls LICENSE\nLICENSE\n$ nexus frobnicate"
    (unknown,) = console(tmp_path, sandbox, text)
    assert 'Unknown command "frobnicate"' in unknown
    (absent,) = console(tmp_path, sandbox, f"$ git clone {FORGE} here{NEXT}$ cd here")
    assert "exit code 1: " in absent


def test_a_section_leaves_nothing_paused(tmp_path: Path, sandbox: Sandbox) -> None:
    text = f"$ nexus pause queue{NEXT}$ nexus ask hello\necho: hello"
    assert console(tmp_path, sandbox, text) == []
    assert sandbox.query("SELECT count(*) FROM nexus.control") == 0


@cache
def _programs() -> list[list[str]]:
    """The words of each program that the pages have a line for."""
    return [
        [Path(words[0]).name, *words[1:]]
        for page in pages()
        for snippet in page.of("console")
        for command in read_console(snippet)[0]
        for words in simple_commands(command.text)
    ]


def _given_to_nexus() -> Iterator[list[str]]:
    """What `nexus` is given, on a line of its own or behind another program."""
    for words in _programs():
        places = [n for n, it in enumerate(words) if Path(it).name == "nexus"]
        if places:
            yield words[places[-1] + 1 :]


@pytest.mark.parametrize("name", ["RUN", "MACHINE", "GATE"])
def test_a_page_has_each_program_of_the_tables(name: str) -> None:
    table: dict[commands.Words, str] = getattr(commands, name)
    assert all(table.values()), "each says why"
    assert set(table) - {commands.key(it, table) for it in _programs()} == set()


def test_a_page_has_each_program_that_runs_nexus() -> None:
    table = commands.WRAPPERS
    assert table - {commands.key(it, table) for it in _programs()} == set()


def test_a_page_has_each_command_of_the_table() -> None:
    table = commands.CODES
    assert set(table) - {commands.key(it, table) for it in _given_to_nexus()} == set()


def test_the_gate_makes_what_the_tables_leave_to_it() -> None:
    gate = (ROOT / ".ci/run").read_text().splitlines()
    wanted = {*commands.GATE.values(), "make test-machine"}
    assert wanted - {*gate} == set()


def test_a_page_has_each_word_in_capitals() -> None:
    words = {word for given in _given_to_nexus() for word in given}
    assert {*commands.PLACEHOLDERS, *commands.IDS} - words == set()


# -- what is printed


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("up   3 s", "up 17 s\nmore"),
        ("at 2026-11-30 03:00:01 UTC", "before\nat 2027-01-01T00:00:00Z"),
        ("7b5c0f62-8d0e-4a43-9d0a-5d3c2b1a0f9e sent", "00000000-0000-4000-8000-000000000000 sent"),
        ("one\n…\nthree", "one\ntwo\nthree"),
        ("echo: Why … salty?", "echo: Why is the sea salty?"),
        ("│ a │ b │", "a   b"),
    ],
)
def test_what_differs_from_run_to_run_is_no_mistake(shown: str, said: str) -> None:
    assert output.mistakes(shown.splitlines(), said) == []


@pytest.mark.parametrize(
    ("shown", "said"), [("up", "down"), ("two\none", "one\ntwo"), ("a b", "a b c"), ("x", "")]
)
def test_what_is_not_printed_is_a_mistake(shown: str, said: str) -> None:
    assert output.mistakes(shown.splitlines(), said) != []
