"""The commands by name and family. A module named here is imported when its command is run."""

import inspect
import re
from collections.abc import Sequence
from typing import Final

from cyclopts import App, Group

from nexus_actors import __version__
from nexus_actors.cli.exit_codes import MEANING

_EPILOGUE = "Exit codes\n" + "\n".join(f"{code:>5}  {text}" for code, text in MEANING.items())


_FAMILIES = {
    "Service": {
        "start": (
            "cli.service:start",
            "Run the service in the foreground, until a signal stops it.",
        ),
        "stop": ("cli.service:stop", "Let the running service finish its calls, and stop it."),
        "status": ("cli.service:status", "Say what the running service does and has done."),
        "doctor": ("cli.doctor:doctor", "Say what is wrong with an installation, and the mend."),
        "tree": ("cli.service:tree", "Show the supervision tree of the running service."),
        "observer": ("cli.observer:observer", "Look into the service, in a terminal, and act."),
        "actor": ("cli.actor:actor", "Show, stop or start one actor of a running service."),
        "remote": ("cli.remote:remote", "Open a Python prompt inside the running service."),
    },
    "Steering": {
        "pause": ("cli.steering:pause", "Have a provider, model, agent, queue or node wait."),
        "resume": ("cli.steering:resume", "Have what was paused or drained go on."),
        "scale": ("cli.steering:scale", "Set how many calls to a provider are made at once."),
        "drain": ("cli.steering:drain", "Have a node end its calls and begin none."),
        "log-level": ("cli.steering:log_level", "Set from which level on services log."),
        "cancel": ("cli.cancel:cancel", "End requests without an answer, also while they run."),
        "waiting": ("cli.waiting:waiting", "Say whose requests wait, and for what."),
        "nodes": ("cli.nodes:nodes", "Show every process of the service, wherever it runs."),
        "top": ("cli.top:top", "Watch queues, providers, rates and spend, renewed as it runs."),
        "reload": ("cli.reload:reload", "Put the config as it is now in force, while it runs."),
        "restart": ("cli.reload:restart", "Start one actor of the running service anew."),
        "audit": ("cli.audit:audit", "Say who has done what, the newest first."),
    },
    "Requests": {
        "ask": ("cli.ask:ask", "Ask one question and print the answer."),
        "enqueue": ("cli.enqueue:enqueue", "Send requests from a file, one JSON object a line."),
        "result": ("cli.result:result", "Print the result of a request."),
        "route": (
            "cli.route:route",
            "Say where a request would go, and why, without calling anybody.",
        ),
        "explain": ("cli.explain:explain", "Say what became of a request, attempt by attempt."),
        "dead": ("cli.dead:dead", "List, send again or delete requests that failed for good."),
        "budgets": ("cli.budgets:budgets", "Say what is spent of each budget, and what is left."),
        "models": (
            "cli.models:models",
            "List the models that can be reached, and what each takes.",
        ),
    },
    "Setup": {
        "config": ("cli.config:config", "Check or show the configuration."),
        "db": ("cli.database:db", "Prepare or find the database."),
        "service": ("cli.service_unit:service", "Have systemd run the service, by a unit."),
        "completion": ("cli.completion:completion", "Print what completes commands in a shell."),
        "local-model": (
            "cli.local_model:local_model",
            "Install a small model that answers without key and network.",
        ),
        "drill": ("drill.command:drill", "Kill and break everything, and count what was kept."),
        "demo": (
            "demo.command:demo",
            "See it all at work, with examples, and nothing left behind.",
        ),
    },
}

app = App(
    name="nexus",
    help="Moves LLM requests from a PostgreSQL queue to providers, and their answers back.",
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
"""An end of a line that is one for the source's sake only."""


def tell_whole(tokens: Sequence[str]) -> None:
    """Have a command's own page tell all that its docstring does, with its example; the list of
    commands, which imports none of them, has one line for each.
    """
    if not {"--help", "-h"} & {*tokens} or tokens[0] not in app:
        return
    command = app[tokens[0]]
    if command.default_command is not None:
        command.help = _BREAK.sub(" ", inspect.getdoc(command.default_command) or "")
