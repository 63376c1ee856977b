"""`nexus actor show|stop|start`: one actor of the supervision tree."""

import time
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.node_orders import OnNode, Why, give_order, order_here
from nexus_actors.cli.operator_sql import ask, call_as_operator
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, note, print_json, say, say_text
from nexus_actors.cli.service import ask_service

actor = App(name="actor", help="One actor of a running service.", help_format="plaintext")

Name = Annotated[str, Parameter(name="ACTOR", help="Its name, as nexus tree shows it.")]
PATIENCE: Final = 10.0
"""Seconds to wait for another node to show the actor."""
LOOK: Final = 0.2


@actor.command
def show(
    name: Name, /, *, node: OnNode = None, config: ConfigPath = None, json: AsJson = False
) -> None:
    """Show one actor: state, mailbox, current message, links, and message counts.

    The state is shown as far as the actor allows, mostly as types.

    Example: nexus actor show Router
    Exit codes: 0 done; 1 no such actor, or it is stopped; 3 no service is running here; 5 nobody
    knows the node, or it does not answer.
    """
    told = (
        ask_service(config, "inspect", {"actor": name})
        if node is None
        else _look(config, node, name)
    )
    if json:
        print_json(told)
    else:
        _print(told)


def _look(config: ConfigPath, node: str, name: str) -> Mapping[str, Any]:
    """The actor's state as another node shows it, through the database."""
    from nexus_actors.contract.json_text import Parsed, parse

    settings, what = read_settings(config), f"actor {name}"
    begun = ask(settings, "SELECT clock_timestamp() AS now, nexus.node_id($1) AS node", node)[0]
    call_as_operator(settings, "SELECT nexus.look($1, $2, $3)", begun["node"], what)
    statement = "SELECT body::text FROM nexus.sights WHERE node = $1 AND what = $2 AND at >= $3"
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for row in ask(settings, statement, begun["node"], what, begun["now"]):
            match parse(row["body"]):
                case Parsed({"error": str(error)}):
                    raise CommandError(error)
                case Parsed(dict(told)):
                    return told
                case _:
                    pass
        time.sleep(LOOK)
    late = f"the node {begun['node']} shows nothing, after {PATIENCE:.0f} s: see nexus nodes"
    raise CommandError(late, exit_codes.TIMED_OUT)


_LISTS: Final = ("links", "monitors", "monitored_by", "linked_tasks")


def _print(told: Mapping[str, Any]) -> None:
    say(f"{told['name']}  {told['class']}, {told['status']}")
    if told["current_message"] is not None:
        since = max(time.time() - told["since"], 0)
        say(f"handles a {told['current_message']}, for {since:.1f} s")
    say(f"{told['mailbox_length']} in its mailbox")
    say(
        f"since {told['counted_for']:.0f} s: {told['calls']} calls, {told['casts']} casts,"
        f" {told['infos']} other messages, {told['seconds']:.3f} s spent on them"
    )
    for name in _LISTS:
        if told[name]:
            say(f"{name.replace('_', ' ')}: {', '.join(told[name])}")
    if told["state"] is None:
        note("its state is not shown: it is busy, and did not answer")
    else:
        say("state:")
        say_text(told["state"])


@actor.command
def stop(
    name: Name,
    /,
    *,
    node: OnNode = None,
    why: Why = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Stop one actor until nexus actor start, or until its supervisor restarts.

    It finishes its work first. Actors that others depend on cannot be stopped: see nexus restart.

    Example: nexus actor stop ResultPoller
    Exit codes: 0 done, or in progress, which is said; 1 no such actor, or it cannot be stopped; 3
    no service is running here; 4 --why cannot be recorded; 5 nobody knows the node, or it does not
    accept the order.
    """
    done = "is stopped", "ends its work first; then it is stopped"
    _order("stop", name, node, config, why=why, json=json, done=done)


@actor.command
def start(
    name: Name,
    /,
    *,
    node: OnNode = None,
    why: Why = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Start an actor that nexus actor stop has stopped.

    Example: nexus actor start ResultPoller --node nexus@host2
    Exit codes: 0 done; 1 no such actor, or it is running; 3 no service is running here; 4 --why
    cannot be recorded; 5 nobody knows the node, or it does not accept the order.
    """
    done = "is started", "is being started"
    _order("start", name, node, config, why=why, json=json, done=done)


def _order(
    action: Literal["stop", "start"],
    name: str,
    node: str | None,
    config: ConfigPath,
    *,
    why: str | None,
    json: bool,
    done: tuple[str, str],
) -> None:
    """Give the order to `node`, or to the service here. `done`: what to print when it is done, and
    if it is still in progress."""
    if node is not None:
        give_order(read_settings(config), node, action, name, why=why, json=json)
        return
    answer = order_here(config, action, f"{action}_actor", {"actor": name}, why=why)
    if json:
        print_json(answer)
    else:
        is_done = answer["ended" if action == "stop" else "started"]
        note(f"{answer['actor']} {done[0] if is_done else done[1]}")
