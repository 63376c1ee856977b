"""The `nexus` command: how an operator, a script or a curious reader uses the service.

Each family of commands is one module, imported when one of its commands runs: `nexus --help` loads
no more than what prints help. Standard output is for data, standard error for everything else.
"""

import os
import signal

from nexus_actors.cli.exit_codes import INTERRUPTED


def main() -> int:
    """Run the command line of this process; its exit code."""
    # Before anything is imported: where Python imports, or collects garbage, a KeyboardInterrupt
    # may be lost. What is to be put in order at a Ctrl-C sees to it by itself (`running.py`).
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
    # The first process of a container is not ended by a signal that it has no handler for.
    if os.getpid() == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end_at_once)
    from nexus_actors.cli.report import run

    code = run()
    if code == INTERRUPTED:
        os._exit(code)  # what Python does at an end can be interrupted, too, and wait for threads
    return code


def end_at_once(number: int, _frame: object) -> None:
    """What Ctrl-C does while there is nothing to be put in order; the exit code is the shell's."""
    os._exit(128 + number)
