"""The `nexus` command: how an operator, a script or a curious reader uses the service.

Each family of commands is one module, imported when one of its commands runs: `nexus --help` loads
no more than what prints help. Standard output is for data, standard error for everything else.
"""


def main() -> int:
    """Run the command line of this process; its exit code."""
    from nexus_actors.cli.report import run

    return run()
