"""All commands and their groups. A command's module is imported when the command runs."""

import inspect
import re
from collections.abc import Sequence
from typing import Final

from cyclopts import App, Group

from nexus_actors import __version__
from nexus_actors.cli.exit_codes import MEANING

_EPILOGUE = "Exit codes\n" + "\n".join(f"{code:>5}  {text}" for code, text in MEANING.items())
_WHERE_CODES = "All exit codes: nexus --help"
"""The last line of a command's help, below the exit codes that are its own."""


_FAMILIES = {
    "Service": {
        "start": (
            "cli.service:start",
            "Run the service in the foreground until a signal stops it.",
        ),
        "stop": ("cli.service:stop", "Stop the running service after its calls."),
        "status": ("cli.service:status", "Show the state and numbers of the running service."),
        "doctor": ("cli.doctor:doctor", "Find what is wrong with an installation."),
        "tree": ("cli.service:tree", "Show the supervision tree of the running service."),
        "observer": ("cli.observer:observer", "Watch the service in a terminal, and act on it."),
        "actor": ("cli.actor:actor", "Show, stop or start one actor of a running service."),
        "remote": ("cli.remote:remote", "Open a Python prompt inside the running service."),
    },
    "Steering": {
        "pause": ("cli.steering:pause", "Pause a provider, model, agent, queue or node."),
        "resume": ("cli.steering:resume", "End a pause or a drain."),
        "scale": ("cli.steering:scale", "Set the number of concurrent calls to a provider."),
        "drain": ("cli.steering:drain", "Let a node finish its calls and begin none."),
        "log-level": ("cli.steering:log_level", "Set the log level of running services."),
        "cancel": ("cli.cancel:cancel", "Cancel requests, also while they run."),
        "waiting": ("cli.waiting:waiting", "Show what requests wait for."),
        "nodes": ("cli.nodes:nodes", "Show every process of the service, on any host."),
        "top": ("cli.top:top", "Watch queues, providers, rates and spend."),
        "reload": ("cli.reload:reload", "Apply the config to the running service."),
        "restart": ("cli.reload:restart", "Restart one actor of the running service."),
        "audit": ("cli.audit:audit", "Show what operators have done, newest first."),
    },
    "Requests": {
        "ask": ("cli.ask:ask", "Ask one question and print the answer."),
        "enqueue": ("cli.enqueue:enqueue", "Send requests from a file, one JSON object per line."),
        "result": ("cli.result:result", "Print the result of a request."),
        "route": (
            "cli.route:route",
            "Show where a request would go, why, and at what cost.",
        ),
        "explain": ("cli.explain:explain", "Show the history of a request, attempt by attempt."),
        "dead": ("cli.dead:dead", "List, retry, edit or delete failed requests."),
        "budgets": ("cli.budgets:budgets", "Show what is spent and left of each budget."),
        "models": (
            "cli.models:models",
            "List reachable models and what each accepts.",
        ),
    },
    "Setup": {
        "config": ("cli.config:config", "Check or show the configuration."),
        "db": ("cli.database:db", "Prepare or find the database."),
        "service": ("cli.service_unit:service", "Install, show or remove a systemd unit."),
        "completion": ("cli.completion:completion", "Print a completion script for a shell."),
        "local-model": (
            "cli.local_model:local_model",
            "Install a small model that needs no key and no network.",
        ),
        "drill": (
            "drill.command:drill",
            "Kill services and PostgreSQL under load, and count what was kept.",
        ),
        "demo": (
            "demo.command:demo",
            "Show the service at work, with examples; leaves nothing behind.",
        ),
    },
}

app = App(
    name="nexus",
    help="Moves LLM requests from a PostgreSQL queue to HTTP providers, and results back.",
    help_epilogue=_EPILOGUE,
    help_format="plaintext",
    version=__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
for _family, _commands in _FAMILIES.items():
    _group = Group.create_ordered(_family)
    for _position, (_name, (_target, _text)) in enumerate(_commands.items()):
        app.command(
            f"nexus_actors.{_target}",
            name=_name,
            help=_text,
            group=_group,
            sort_key=_position,
        )


_BREAK: Final = re.compile(r"\n(?!\n|\s|Example: |Exit codes: )(?<!\n\n)")
"""A line break that only limits the length of source lines."""


def tell_whole(tokens: Sequence[str]) -> None:
    """Make a command's help show its whole docstring, with the example. The list of commands shows
    one line for each, and imports none of them.
    """
    if not {"--help", "-h"} & {*tokens}:
        return
    command = app
    for token in tokens:
        if token.startswith("-") or token not in command:
            break
        command = command[token]
    if command is app:
        return
    command.help_epilogue = _WHERE_CODES
    if command.default_command is not None:
        command.help = _BREAK.sub(" ", inspect.getdoc(command.default_command) or "")
