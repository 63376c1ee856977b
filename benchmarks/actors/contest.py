"""The parent's side: every contender a child process, one measuring at a time, in rounds."""

import json
import os
import select
import signal
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from benchmarks.actors.contenders import Contender
from benchmarks.actors.figures import MEASURES, ONCE, TIMED, Figures, Size

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0
"""Seconds a measurement may take."""


class TooSlow(Exception):
    """A measurement did not end within PATIENCE."""


class Worker:
    """A contender's process. When the block is left, it is killed with all that it started.

    All are kept on one and the same core: threads that hand on the interpreter's lock are several
    times slower on two, and who needs only one core is not to be measured with two.
    """

    def __init__(self, contender: Contender) -> None:
        self._title = contender.title
        self._process = subprocess.Popen(  # noqa: S603 - our own commands
            contender.command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            start_new_session=True,
        )
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._process.pid, {max(os.sched_getaffinity(0))})
        self.measures: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        self.measures = frozenset(self._answer()["measures"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def measure(self, name: str, count: int) -> Figures:
        """The figures. Raises TooSlow, or RuntimeError if the process ends."""
        self._pipe(self._process.stdin).write(f"{name} {count}\n".encode())
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        answers = self._pipe(self._process.stdout)
        if not select.select([answers], [], [], PATIENCE)[0]:
            raise TooSlow
        line = answers.readline()
        if not line:
            raise RuntimeError(f"the worker of {self._title} has ended: {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise RuntimeError("the worker was started without pipes")
        return pipe


class Contest:
    """Who takes part, and what came of it."""

    def __init__(self, contenders: dict[str, Contender], size: Size) -> None:
        self._contenders = contenders
        self._size = size
        self.samples: dict[str, dict[str, list[float]]] = {name: {} for name in contenders}
        """Contender -> figure -> a value a round; those of one round stand at the same place."""
        self.notes: list[str] = []

    def run(self) -> None:
        """All rounds, then what is measured once."""
        with ExitStack() as stack:
            workers = {
                name: stack.enter_context(Worker(contender))
                for name, contender in self._contenders.items()
            }
            counts = {
                (name, measure): self._count(worker, measure)
                for measure in MEASURES
                for name, worker in workers.items()
                if measure in worker.measures
            }
            for _ in range(self._size.rounds):
                for (name, measure), count in counts.items():
                    self._keep(name, workers[name].measure(measure, count))
        for measure in ONCE:
            for name in self._contenders:
                self._once(name, measure)

    def _count(self, worker: Worker, measure: str) -> int:
        """What keeps this worker busy for `size.seconds`; it is warm then, too."""
        if measure not in TIMED:
            return int(getattr(self._size, measure))
        count = 200
        for seconds in (self._size.seconds / 10, self._size.seconds):
            count = max(100, int(min(worker.measure(measure, count).values()) * seconds))
        return count

    def _once(self, name: str, measure: str) -> None:
        contender = self._contenders[name]
        with Worker(contender) as worker:
            if measure in worker.measures:
                try:
                    self._keep(name, worker.measure(measure, getattr(self._size, measure)))
                except TooSlow:
                    self.notes.append(
                        f"{contender.title}: {measure!r} given up after {PATIENCE:g} s"
                    )

    def _keep(self, name: str, figures: Figures) -> None:
        for figure, value in figures.items():
            self.samples[name].setdefault(figure, []).append(value)
