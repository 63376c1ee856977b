"""The state of the database itself."""

from nexus_actors.dashboard.visit import View, Visit
from nexus_actors.monitoring.database import read_database, retention


async def show(visit: Visit) -> View:
    """Sizes, dead rows, long-running statements, migrations, retention."""
    database = await read_database(visit.reader)
    values = {"database": database, "retention": retention(visit.settings.retention)}
    return View("database.html", "Database", values)
