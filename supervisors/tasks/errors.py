"""Errors of tasks. Part of the tree in `supervisors.errors`."""

from __future__ import annotations

from supervisors._core.reasons import ExitReason
from supervisors.errors import SupervisorsError, describe


class TaskError(SupervisorsError):
    """The task named `task` gave no result."""

    def __init__(self, task: str, message: str) -> None:
        self.task = task
        super().__init__(f"task {task}: {message}")


class TaskExited(TaskError):
    """It ended with `reason` and without a result. Its exception, if any, is the cause."""

    def __init__(self, task: str, reason: ExitReason) -> None:
        self.reason = reason
        super().__init__(task, f"ended without a result: {describe(reason)}")


class TaskTimeout(TaskError):
    """No result within `timeout` seconds."""

    def __init__(self, task: str, timeout: float) -> None:
        self.timeout = timeout
        super().__init__(task, f"no result within {timeout:g} s")


class AlreadyAwaited(TaskError):
    """Its outcome was taken before, by await or as a message, or was given up after a timeout."""

    def __init__(self, task: str) -> None:
        super().__init__(task, "its outcome was already taken")


class NotOwner(TaskError):
    """Only the actor, or the plain trio code, that started a task may take its outcome."""

    def __init__(self, task: str) -> None:
        super().__init__(task, "only its owner may ask for its outcome")
