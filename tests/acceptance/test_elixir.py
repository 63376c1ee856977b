"""examples/elixir/ask.exs as an Elixir program runs it, on a unix socket and over TCP."""

import subprocess

import pytest

from tests.acceptance.nexus import LIMIT, ROOT, Nexus, value
from tests.elixir import NEEDED, is_here
from tests.wire import open_wire

SCRIPT = ROOT / "examples" / "elixir" / "ask.exs"
LOOK_AGAIN = "@look_again 1_000\n"
QUESTION = "'Wie heißt du?' \\ \"$1\" 🐘"


@pytest.fixture(autouse=True)
def _needed() -> None:
    if not is_here():
        pytest.skip(NEEDED)


def ask(nexus: Nexus, *arguments: str, looks_again: bool = True) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    script = nexus.folder / "ask.exs"
    text = SCRIPT.read_text()
    assert LOOK_AGAIN in text
    script.write_text(text if looks_again else text.replace(LOOK_AGAIN, "@look_again 3_600_000\n"))
    done = subprocess.run(
        ["elixir", str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
        env=nexus.environ,
        cwd=nexus.folder,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_notification_wakes_it_and_the_answer_is_printed(nexus: Nexus, database_url: str) -> None:
    echo = '[providers.slow]\nkind = "echo"\nlatency = 0.5\n[[routes]]\nmodels = ["slow/m"]'
    nexus.configure(echo, url=database_url)
    nexus.start().wait_ready()
    assert ask(nexus, database_url, QUESTION, looks_again=False) == (0, f"echo: {QUESTION}\n", "")
    with open_wire(database_url) as wire:
        assert ask(nexus, wire.url, "over TCP", looks_again=False) == (0, "echo: over TCP\n", "")


def test_an_error_is_told(nexus: Nexus, database_url: str) -> None:
    broken = '[providers.b]\nkind = "echo"\nfailure_rate = 1.0\nmax_retries = 0\n'
    nexus.configure(f'{broken}[[routes]]\nmodels = ["b/m"]', url=database_url)
    nexus.start().wait_ready()
    code, out, err = ask(nexus, database_url, "hello")
    assert (code, out) == (1, "")
    assert err.startswith("ask.exs: provider_error: ")


def test_without_a_service_it_gives_up_in_time(nexus: Nexus, database_url: str) -> None:
    code, out, err = ask(nexus, database_url, "hello", "1")
    assert (code, out) == (5, "")
    assert err.endswith("in time\n")
    assert value(database_url, "SELECT message ->> 'timeout' FROM pgmq.q_ai_requests") == "1000"


def test_a_database_that_is_away_or_not_prepared_is_told(
    nexus: Nexus, empty_database_url: str
) -> None:
    refused = 'ask.exs: PostgreSQL: schema "pgmq" does not exist\n'
    assert ask(nexus, empty_database_url, "hello") == (1, "", refused)
    away = f"postgresql://me@/db?host={nexus.folder}"
    missing = f"ask.exs: no PostgreSQL at {nexus.folder}/.s.PGSQL.5432\n"
    assert ask(nexus, away, "hello") == (4, "", missing)
