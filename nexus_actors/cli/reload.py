"""`nexus reload|restart`: change the running service without an outage."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.node_orders import OnNode, Why, give_order, order_here
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, complain, note, print_json, say
from nexus_actors.cli.service import ask_service


def reload(
    *,
    config: ConfigPath = None,
    dry_run: Annotated[bool, Parameter(negative="", help="Only say what would change.")] = False,
    node: OnNode = None,
    why: Why = None,
    json: AsJson = False,
) -> int:
    """Apply the config file to the running service, without interrupting a call.

    The config and its key files are read again. Environment variables stay as they were at the
    start. The whole config is checked first; with any mistake the old one stays in force, and each
    mistake is listed. The changes are printed, and also what needs a restart and therefore stays as
    it is. SIGHUP does the same and writes to the log.

    Example: nexus reload --dry-run
    """
    if node is not None:
        if dry_run:
            raise CommandError("--dry-run is not for another node", exit_codes.USAGE)
        give_order(read_settings(config), node, "reload", why=why, json=json)
        return exit_codes.OK
    if dry_run:
        if why is not None:
            told = "--why is for what is done, and --dry-run does nothing"
            raise CommandError(told, exit_codes.USAGE)
        told = ask_service(config, "reload", {"dry_run": True})
    else:
        told = order_here(config, "reload", "reload", {}, why=why)
    if json:
        print_json(told)
    elif told["ok"]:
        _print(told)
    else:
        from nexus_actors.settings.mistakes import Mistake

        for mistake in told["mistakes"]:
            complain(str(Mistake(**mistake)))
        note("nothing was changed")
    return exit_codes.OK if told["ok"] else exit_codes.USAGE


def _print(told: Mapping[str, Any]) -> None:
    for warning in told["warnings"]:
        complain(f"warning: {warning}")
    changes, restart = told["changes"], told["needs_restart"]
    is_dry = told["dry_run"]
    if not changes:
        say("nothing would change" if is_dry else "nothing has changed")
    else:
        say("would change:" if is_dry else "changed:")
        _list(changes)
    if restart:
        say("needs a restart, and stays as it is until then:")
        _list(restart)


def _list(changes: Sequence[Mapping[str, Any]]) -> None:
    from nexus_actors.settings.changes import Change

    for it in changes:
        say(f"  {Change(**it)}")


def restart(
    actor: Annotated[str, Parameter(help="Its name, as nexus tree shows it.")],
    /,
    *,
    now: Annotated[
        bool,
        Parameter(negative="", help="Kill it: its running calls are interrupted and repeated."),
    ] = False,
    node: OnNode = None,
    why: Why = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Restart one actor of the running service.

    Its supervisor starts it again. Calls finish first: a worker finishes its own, a provider's
    supervisor waits until none runs, the pipeline drains.

    Example: nexus restart openai.Worker.3
    """
    if node is not None:
        give_order(read_settings(config), node, "restart", actor, now=now, why=why, json=json)
        return
    order = {"actor": actor, "now": now}
    told = order_here(config, "restart", "restart", order, why=why)
    if json:
        print_json(told)
    elif told["ended"]:
        note(f"{told['actor']} has ended, and is started anew")
    else:
        note(f"{told['actor']} ends its work first; then it is started anew")
