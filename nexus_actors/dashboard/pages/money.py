"""What calls cost, and what budgets leave."""

from typing import Final

from nexus_actors.dashboard.charts import Series
from nexus_actors.dashboard.visit import View, Visit
from nexus_actors.monitoring.money import DAYS, KINDS, TOP, read_budgets, read_money
from nexus_actors.monitoring.recent import MOST_RECENT

PERIODS: Final = {"today": 1, "week": 7, "month": DAYS}
"""Days (UTC), today included."""


async def show(visit: Visit) -> View:
    """Spend by day, agent, provider and model; budgets; unknown prices."""
    period = visit.choice("period", tuple(PERIODS), "week")
    money = await read_money(visit.reader, days=PERIODS[period], now=visit.now)
    days = money.days[-PERIODS[period] :]
    known = [it.spent for it in days]
    values = {
        "money": money,
        "days": [it.begins_at for it in days],
        "costs": [Series("known cost", [it.dollars for it in known])],
        "calls": [
            Series("cost known", [float(it.calls - it.unknown) for it in known]),
            Series("cost unknown", [float(it.unknown) for it in known]),
        ],
        "budgets": await read_budgets(visit.reader, visit.settings.budgets),
        "period": period,
        "periods": PERIODS,
        "kinds": KINDS,
        "top": TOP,
        "most_recent": MOST_RECENT,
    }
    return View("money.html", "Money", values)
