"""Errors of a registry. Part of the tree in `supervisors.errors`."""

from __future__ import annotations

from supervisors._core.actor_ref import ActorRef
from supervisors.errors import SupervisorsError


class RegistryError(SupervisorsError):
    """A registry refused an operation."""


class AlreadyRegistered(RegistryError):
    """The key belongs to the live process `ref`."""

    def __init__(self, key: object, ref: ActorRef) -> None:
        self.key = key
        self.ref = ref
        super().__init__(f"{key!s} is already registered (pid {ref.pid})")


class NotRegistered(RegistryError):
    """The process has no entry under `key`. `holder`: the process that has one, or None."""

    def __init__(self, key: object, holder: ActorRef | None) -> None:
        self.key = key
        self.holder = holder
        whose = "" if holder is None else f" by this process, but by another (pid {holder.pid})"
        super().__init__(f"{key!s} is not registered{whose}")


class NotUnique(RegistryError):
    """`what` needs unique keys: a duplicate key has no single holder."""

    def __init__(self, registry: str, what: str) -> None:
        super().__init__(f"{what} needs unique keys, and registry {registry} has duplicate ones")


class UnhashableKey(RegistryError, TypeError):
    """The key, or a part of it, cannot be hashed. The original TypeError is the cause."""

    def __init__(self, key: object) -> None:
        self.key = key
        # Only the type: an invalid key may be there by mistake, and may be a secret.
        super().__init__(f"a registry key must be hashable, and this {type(key).__name__} is not")


class RegistryNotRunning(RegistryError):
    """The registry's own process is not running: put its child_spec() before its users."""
