"""The `nexus` command, for operators, scripts and everyone else.

Each group of commands is a module, imported when one of its commands runs, so `nexus --help`
imports only what it needs. Standard output is for data, standard error for everything else.
"""

import os
import signal

from nexus_actors.cli.exit_codes import INTERRUPTED


def main() -> int:
    """Run this process's command line and return the exit code."""
    # Before any import: during imports and garbage collection a KeyboardInterrupt may be lost.
    # Commands that need cleanup at Ctrl-C handle it themselves (`running.py`).
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
    # For pid 1 of a container, the kernel ignores signals that have no handler.
    if os.getpid() == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end_at_once)
    from nexus_actors.cli.report import run

    code = run()
    if code == INTERRUPTED:
        os._exit(code)  # Python's own exit may wait for threads or be interrupted
    return code


def end_at_once(number: int, _frame: object) -> None:
    """Handle Ctrl-C when there is nothing to clean up. The exit code is the shell's."""
    os._exit(128 + number)
