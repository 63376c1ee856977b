"""What the Containerfile says holds here: `make test-container` carries it out."""

import re

from nexus_actors.cli.app import app
from nexus_actors.cli.service import start, status
from tests.container import FILE, ROOT, health_command, last, read_lines


def test_what_it_copies_is_there_and_not_ignored() -> None:
    kept = (ROOT / ".containerignore").read_text()
    for line in read_lines():
        if line.word == "COPY" and not line.is_from_a_stage:
            for name in line.words[:-1]:
                assert (ROOT / name).exists(), name
                assert f"!{name.removeprefix('./')}\n" in kept


def test_what_it_runs_and_asks_are_commands_of_ours() -> None:
    program, *words = [*last("ENTRYPOINT").words, *last("CMD").words]
    assert (program, app.parse_args(words)[0]) == ("nexus", start)
    program, *words = health_command()
    command, bound, _ = app.parse_args(words)
    assert (program, command, bound.arguments) == ("nexus", status, {"alive": True})


def test_it_installs_by_hashes_and_runs_as_nobody_of_rank() -> None:
    installs = [it.rest for it in read_lines() if it.word == "RUN" and "pip install" in it.rest]
    assert all("--no-deps" in it for it in installs)
    assert "--require-hashes" in installs[0]
    user = re.fullmatch(r"(\d+):(\d+)", last("USER").rest)
    assert user is not None
    assert min(map(int, user.groups())) >= 10_000
    volume, home = last("VOLUME").rest, last("ENV").rest
    assert f"HOME={volume} " in home
    owned = f"COPY --from=build --chown={last('USER').rest} /out{volume} {volume}"
    assert owned in FILE.read_text()
