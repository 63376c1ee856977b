"""PGMQ's SQL is read without its package, whose driver costs each start a tenth of a second."""

import subprocess
import sys

from pgmq.install import get_embedded_install_sql

from nexus_actors.storage.postgres.migrate import pgmq_sql


def test_it_is_what_the_package_would_install() -> None:
    assert pgmq_sql() == get_embedded_install_sql()


def test_the_service_imports_no_second_driver() -> None:
    probe = "import sys, nexus_actors.application; print({'pgmq', 'psycopg'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
