"""What a tree is to look like and how its actors are to behave: plain data, drawn by hypothesis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, TypeAlias

from hypothesis import strategies as st

Shutdown: TypeAlias = float | Literal["brutal_kill"]

# No sum of these is a sum of the graces or windows below: no two ends of a race fall together.
STOPPINGS = (0.0, 0.0301, 0.3007, 1.7003)
GRACES: tuple[Shutdown, ...] = (1.0, 0.2, math.inf, "brutal_kill", 0.0)
WINDOWS = (5.0, 0.6, 60.0)
A_MINUTE, FOR_EVER = 60.0, 1e6
INIT_SECONDS = (0.0, 0.1013)
START_TIMEOUT = 2.0
SLOW_START = 0.4129
MAX_CHILDREN = 3


@dataclass(frozen=True)
class WorkerPlan:
    """A GenServer. `starts`: how its starts go, one after the other; those after the last go well.

    `key`: the name it is registered under; "own" is one that no other plan has.
    `stopping`: the seconds its terminate takes, in the manner of `stops`.
    """

    id: str
    restart: str = "permanent"
    shutdown: Shutdown = 1.0
    significant: bool = False
    trap: bool = True
    key: str | None = None
    stopping: float = 0.0
    stops: str = "sleep"
    init: float = 0.0
    starts: tuple[str, ...] = ()
    meets: tuple[str, ...] = ()
    """What it does in its init: "monitor" all that live, "link" to the one that was born last."""

    def lines(self, indent: str = "") -> Iterator[str]:
        """As text, what is usual left out."""
        yield f"{indent}{self.id}: worker{_words(self, WorkerPlan(self.id))}"


@dataclass(frozen=True)
class RegistryPlan:
    """A Registry, whose own process can be killed as any other."""

    id: str
    restart: str = "permanent"
    significant: bool = False
    starts: tuple[str, ...] = ()

    def lines(self, indent: str = "") -> Iterator[str]:
        """As text."""
        yield f"{indent}{self.id}: registry"


@dataclass(frozen=True)
class SupervisorPlan:
    """A Supervisor; with strategy "dynamic" a DynamicSupervisor, which starts without children."""

    id: str
    children: tuple[Plan, ...] = ()
    strategy: str = "one_for_one"
    max_restarts: int = 2
    max_seconds: float = 5.0
    auto_shutdown: str = "never"
    restart: str = "permanent"
    shutdown: Shutdown = math.inf
    significant: bool = False
    starts: tuple[str, ...] = ()

    @property
    def dynamic(self) -> bool:
        """Whether it is a DynamicSupervisor."""
        return self.strategy == "dynamic"

    def lines(self, indent: str = "") -> Iterator[str]:
        """As text, a line for each plan below it."""
        usual = SupervisorPlan(self.id, self.children)
        yield f"{indent}{self.id}: supervisor{_words(self, usual)}"
        for child in self.children:
            yield from child.lines(indent + "    ")


Plan: TypeAlias = WorkerPlan | SupervisorPlan | RegistryPlan


def _words(plan: object, usual: object) -> str:
    changed = {key: value for key, value in vars(plan).items() if value != vars(usual)[key]}
    return "".join(f" {key}={value}" for key, value in changed.items())


# --- drawing them ---

# Each strategy is made once: to make one and look what it can draw costs more than to draw.
FLAG = st.booleans()
RESTART = st.sampled_from(("permanent", "transient", "temporary"))
GRACE = st.sampled_from(GRACES)
KEY = st.sampled_from((None, "own"))
# two may want one name, and the names of the registry inside the tree come and go with it
WILD_KEY = st.sampled_from(
    (None, "own", "own", "own", "inner:own", "inner:own", "inner:shared", "shared")
)
STOPPING = st.sampled_from(STOPPINGS)
STOPS = st.sampled_from(("sleep", "sleep", "raise", "other", "block", "swallow"))
INIT = st.sampled_from(INIT_SECONDS)
BAD = ("raise", "stop", "ignore", "garbage", "factory", "no actor", "late", "hang")
STARTS = st.lists(st.sampled_from(("ok", "ok", "ok", "tasks", *BAD)), max_size=4)
HUNDRED = st.integers(0, 99)
MEETS = st.sampled_from(((), (), ("monitor",), ("link",), ("monitor", "link")))
STRATEGY = st.sampled_from(("one_for_one", "one_for_all", "rest_for_one", "dynamic"))
AUTO_SHUTDOWN = st.sampled_from(("never", "any_significant", "all_significant"))
CHILDREN = st.sampled_from((3, 4, 2, 1, 0))
MAX_RESTARTS = st.sampled_from((3, 2, 1, 0, 20))
MAX_SECONDS = {them: st.sampled_from(them) for them in (WINDOWS, (A_MINUTE,), (FOR_EVER,))}
# another at each depth, and no worker's: which of equal deadlines comes first is open
SHUTDOWN = [st.sampled_from((math.inf, 1.01 + depth / 100, "brutal_kill")) for depth in range(3)]
SUPERVISOR_STARTS = st.sampled_from(((), (), ("ok", "raise"), ("ok", "ignore")))
# one that lasts, most of the time: with it, everything would be over
ROOT_RESTARTS = st.sampled_from((50, 20, 2))


@cache
@st.composite
def workers(draw: st.DrawFn, id: str, *, wild: bool) -> WorkerPlan:  # noqa: A002
    """A worker. Tame ones start well and stop in their time or are killed; wild ones may not."""
    restart = draw(RESTART)
    plan = WorkerPlan(
        id,
        restart=restart,
        shutdown=draw(GRACE),
        significant=restart != "permanent" and draw(FLAG),
        trap=draw(FLAG),
        key=draw(KEY),
        stopping=draw(STOPPING),
        init=draw(INIT),
    )
    if not wild:
        return plan
    stops = draw(STOPS)
    starts = draw(STARTS)
    if draw(HUNDRED) != 77:  # else too many trees would not start at all
        starts = ["ok", *starts]
    meets = draw(MEETS)
    return replace(plan, stops=stops, starts=tuple(starts), key=draw(WILD_KEY), meets=meets)


@cache
@st.composite
def supervisors(draw: st.DrawFn, id: str, depth: int, *, wild: bool) -> SupervisorPlan:  # noqa: A002
    """A supervisor with up to four children, supervisors among them as deep as `depth` allows."""
    strategy = draw(STRATEGY)
    restart = draw(RESTART)
    auto = "never"
    children: list[Plan] = []
    if strategy != "dynamic":
        auto = draw(AUTO_SHUTDOWN)
        for number in range(draw(CHILDREN)):
            children.append(draw(plans("abcd"[number], depth, wild=wild)))
        if auto == "never":
            children = [replace(child, significant=False) for child in children]
    max_restarts = draw(MAX_RESTARTS)
    windows: tuple[float, ...] = WINDOWS
    if wild:  # starts that fail for ever must exhaust any intensity, slow as they may be
        windows = (A_MINUTE,) if max_restarts <= 3 else (FOR_EVER,)
    return SupervisorPlan(
        id,
        tuple(children),
        strategy=strategy,
        max_restarts=max_restarts,
        max_seconds=draw(MAX_SECONDS[windows]),
        auto_shutdown=auto,
        restart=restart,
        shutdown=draw(SHUTDOWN[depth]),
        significant=restart != "permanent" and draw(FLAG),
        starts=draw(SUPERVISOR_STARTS) if wild else (),
    )


@cache
def plans(id: str, depth: int, *, wild: bool) -> st.SearchStrategy[Plan]:  # noqa: A002
    """A worker, or a supervisor if `depth` is above 0."""
    one: st.SearchStrategy[Plan] = workers(id, wild=wild)
    return one | supervisors(id, depth - 1, wild=wild) if depth else one


@st.composite
def trees(draw: st.DrawFn, *, wild: bool) -> SupervisorPlan:
    """A root, which is always started well; a wild one may have a registry of its own."""
    root = draw(supervisors("root", 2, wild=wild))
    children = root.children
    if wild and not root.dynamic and draw(FLAG):
        children = (RegistryPlan("inner"), *children)
    return replace(
        root,
        children=children,
        max_restarts=draw(ROOT_RESTARTS),
        max_seconds=FOR_EVER if wild else root.max_seconds,
        restart="permanent",
        shutdown=math.inf,
        significant=False,
        starts=(),
    )
