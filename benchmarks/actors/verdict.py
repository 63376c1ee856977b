"""From samples to medians, ratios and goals met or missed."""

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.actors.contenders import OURS
from benchmarks.actors.figures import FIGURES, GOALS, Goal


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and what was measured. `value` None: something for it is missing."""

    goal: Goal
    value: float | None

    @property
    def met(self) -> bool | None:
        """None: not measured."""
        return None if self.value is None else self.missed_by == 0

    @property
    def missed_by(self) -> float | None:
        """The part of the bound that is missing (or too much); 0 if the goal is met."""
        if self.value is None:
            return None
        lacking = self.goal.bound - self.value
        if FIGURES[self.goal.figure].better == "low":
            lacking = -lacking
        return max(0.0, lacking / self.goal.bound)

    def as_json(self) -> dict[str, Any]:
        """The goal, the value, and whether that is enough."""
        return {
            **asdict(self.goal),
            "value": self.value,
            "met": self.met,
            "missed_by": self.missed_by,
        }


class Outcome:
    """What the samples say: contender -> figure -> a value a round."""

    def __init__(self, samples: dict[str, dict[str, list[float]]]) -> None:
        self.samples = samples

    def median(self, name: str, figure: str) -> float | None:
        """The figure of a contender; None if it has none."""
        values = self.samples.get(name, {}).get(figure)
        return median(values) if values else None

    def ratio(self, figure: str, of: str, of_figure: str | None = None) -> float | None:
        """Ours divided by another's: the median of each round's, whose noise is the same."""
        ours = self.samples.get(OURS, {}).get(figure)
        theirs = self.samples.get(of, {}).get(of_figure or figure)
        if not ours or not theirs:
            return None
        return median(mine / their for mine, their in zip(ours, theirs, strict=True))

    def verdicts(self) -> list[Verdict]:
        """Of every goal."""
        return [
            Verdict(
                goal,
                self.median(OURS, goal.figure)
                if goal.of is None
                else self.ratio(goal.figure, goal.of, goal.of_figure),
            )
            for goal in GOALS
        ]
