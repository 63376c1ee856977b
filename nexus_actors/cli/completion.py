"""`nexus completion`: scripts for shells that complete commands and options."""

from typing import Annotated, Literal

from cyclopts import Parameter

from nexus_actors.cli.report import say_text


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell's name.")], /
) -> None:
    """Print a script that completes commands and options in a shell.

    Install it once, and again after an upgrade: for bash into
    ~/.local/share/bash-completion/completions/nexus, for zsh into a file _nexus in a directory of
    $fpath, for fish into ~/.config/fish/completions/nexus.fish.

    Example: nexus completion bash
    """
    from nexus_actors.cli.app import app

    say_text(app.generate_completion(shell=shell), end="")
