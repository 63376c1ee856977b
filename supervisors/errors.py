"""All exceptions that this runtime raises itself. Those with a ref are defined in other modules.

SupervisorsError
├── CallError                 a call got no answer
│   ├── NoProcess             there is no such process
│   ├── CallTimeout           no answer in time; the server goes on
│   ├── ServerExited          the server ended before it answered
│   ├── CallingSelf           the answer could never come
│   └── MailboxFull           its mailbox is bounded, and full
├── StartError                a process did not start
│   ├── FailedToStartChild    its init failed (id, reason; the exception is the cause)
│   ├── AlreadyStarted        the name, or the child's id, is taken (see named_ref)
│   ├── AlreadyPresent        the child's id is taken by a spec without a process
│   ├── StartTimeout          its init took too long, and it was killed
│   ├── StartIgnored          a root whose init said Ignore
│   ├── MaxChildren           a dynamic supervisor is full
│   └── SpecError             the specification is wrong (also a ValueError): MissingId,
│                             MissingStart, DuplicateChildId, Invalid… for each field, and
│                             InvalidSpecification for several (see _core/checks)
├── AdminError                a supervisor refused
│   └── NotFound, ChildRunning, ChildRestarting
├── TaskError                 a task gave no result (see tasks/errors)
│   ├── TaskExited            it ended without one (reason; the exception is the cause)
│   ├── TaskTimeout           none in time
│   ├── AlreadyAwaited        its outcome was taken before
│   └── NotOwner              used by another than its owner
├── RegistryError             a registry refused (see registry/errors)
│   └── AlreadyRegistered, NotRegistered, NotUnique, RegistryNotRunning,
│       UnhashableKey (also a TypeError)
├── WrongThread, NotInTrio    an actor was reached, or opened, from elsewhere (see threads)
└── BadReturnValue            a callback returned an invalid value
"""

from __future__ import annotations

from supervisors._core.copying import Whole
from supervisors._core.reasons import Crashed, ExitReason, Shutdown
from supervisors._core.strays import ends_program


class SupervisorsError(Whole):
    """Base of all of them. One with a ref cannot be pickled, and a copy has no cause."""


# --- calls ---


class CallError(SupervisorsError):
    """A call got no answer. `server` is its name, `request` the request (never part of the
    message).
    """

    def __init__(self, server: str, request: object, message: str) -> None:
        self.server = server
        self.request = request
        super().__init__(f"{message} ({type(request).__name__} to {server})")


class NoProcess(CallError):
    """There is no such process: it never existed, or has ended (OTP `noproc`)."""

    def __init__(self, server: str, request: object) -> None:
        super().__init__(server, request, "no such process")


class CallTimeout(CallError):
    """No answer within `timeout` seconds. The server is not affected; a late answer is dropped."""

    def __init__(self, server: str, request: object, timeout: float) -> None:
        self.timeout = timeout
        super().__init__(server, request, f"no answer within {timeout:g} s")


class ServerExited(CallError):
    """The server ended, with `reason`, before it answered. Its exception, if any, is the cause."""

    def __init__(self, server: str, request: object, reason: ExitReason) -> None:
        self.reason = reason
        super().__init__(server, request, f"the server ended: {describe(reason)}")


class CallingSelf(CallError):
    """An actor called itself: the answer could never come (OTP `calling_self`)."""

    def __init__(self, server: str, request: object) -> None:
        super().__init__(server, request, "an actor cannot call itself")


class MailboxFull(CallError):
    """The server's mailbox is bounded, and full: it did not take the request, or dropped it to make
    room for later ones. `limit` is how many unread messages it takes.
    """

    def __init__(self, server: str, request: object, limit: int) -> None:
        self.limit = limit
        super().__init__(server, request, f"its mailbox holds {limit} unread messages")


# --- starts ---


class StartError(SupervisorsError):
    """A process did not start."""


class FailedToStartChild(StartError):
    """The init of child `id` failed with `reason`; an exception it raised is the `__cause__`."""

    def __init__(self, id: str, reason: ExitReason) -> None:  # noqa: A002 - the field is called id in OTP too
        self.id = id
        self.reason = reason
        super().__init__(f"child {id!r} failed to start: {describe(reason)}")


class AlreadyPresent(StartError):
    """The supervisor has a spec with this id, without a process (OTP `already_present`)."""

    def __init__(self, id: str) -> None:  # noqa: A002
        self.id = id
        super().__init__(f"child {id!r} is already present, but not running: restart or delete it")


class StartTimeout(StartError):
    """The init of child `id` took longer than `timeout` seconds; the half-started process was
    killed.
    """

    def __init__(self, id: str, timeout: float) -> None:  # noqa: A002
        self.id = id
        self.timeout = timeout
        super().__init__(f"child {id!r} did not start within {timeout:g} s")


class StartIgnored(StartError):
    """The root's init returned Ignore, so there is no tree."""


class MaxChildren(StartError):
    """The dynamic supervisor already has `limit` children (OTP `max_children`)."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        super().__init__(f"the supervisor already has its {limit:g} children")


class SpecError(StartError, ValueError):
    """A specification is wrong; `value` is the offending one."""

    what = "invalid specification"

    def __init__(self, value: object = None) -> None:
        self.value = value
        # For an object, only the type: its content may be a secret, and this message is logged.
        shown = repr(value) if isinstance(value, str | float | int | None) else type(value).__name__
        super().__init__(f"{self.what}: {shown}")


class InvalidChildSpec(SpecError):
    """Not a ChildSpec at all."""

    what = "not a child specification"


class MissingId(SpecError):
    """The id is None or empty."""

    what = "a child specification needs an id"


class InvalidId(SpecError):
    """Not hashable."""

    what = "an id must be hashable"


class MissingStart(SpecError):
    """There is no start function."""

    what = "a child specification needs a start function"


class InvalidStart(SpecError):
    """`start` is not callable (OTP `invalid_mfa`)."""

    what = "start must be a function that makes a new actor"


class InvalidRestartType(SpecError):
    """Not "permanent", "transient" or "temporary"."""

    what = 'restart must be "permanent", "transient" or "temporary"'


class InvalidShutdown(SpecError):
    """Neither seconds >= 0 (math.inf included) nor "brutal_kill"."""

    what = 'shutdown must be seconds, math.inf or "brutal_kill"'


class InvalidChildType(SpecError):
    """Neither "worker" nor "supervisor"."""

    what = 'type must be "worker" or "supervisor"'


class InvalidSignificant(SpecError):
    """A significant child must not be permanent, and its supervisor needs an auto_shutdown."""

    what = "significant needs a non-permanent child and a supervisor with auto_shutdown"


class InvalidStartTimeout(SpecError):
    """Not seconds > 0."""

    what = "start_timeout must be seconds above zero, or math.inf"


class InvalidName(SpecError):
    """Not made by Registry.via()."""

    what = "name must come from Registry.via()"


class DuplicateChildId(SpecError):
    """Two children with one id (OTP `duplicate_child_name`)."""

    what = "two children have the same id"


class InvalidMailboxLimit(SpecError):
    """Not an integer > 0."""

    what = "a mailbox's limit must be an integer above zero"


class InvalidWhenFull(SpecError):
    """Neither "refuse" nor "drop_oldest"."""

    what = 'when_full must be "refuse" or "drop_oldest"'


class InvalidStrategy(SpecError):
    """An unknown strategy."""

    what = 'strategy must be "one_for_one", "one_for_all" or "rest_for_one"'


class InvalidIntensity(SpecError):
    """max_restarts is not an integer >= 0."""

    what = "max_restarts must be an integer of at least 0"


class InvalidPeriod(SpecError):
    """max_seconds is not a finite number > 0."""

    what = "max_seconds must be finite and above zero"


class InvalidAutoShutdown(SpecError):
    """An unknown auto_shutdown."""

    what = 'auto_shutdown must be "never", "any_significant" or "all_significant"'


class InvalidKeys(SpecError):
    """Neither "unique" nor "duplicate"."""

    what = 'keys must be "unique" or "duplicate"'


class InvalidExtraArguments(SpecError):
    """Not a list or tuple."""

    what = "extra_arguments must be a list or a tuple"


class InvalidPartitions(SpecError):
    """The number of partitions is not an integer >= 1."""

    what = "partitions must be an integer of at least 1"


class InvalidWithArguments(SpecError):
    """Not callable, or it returned neither a list nor a tuple."""

    what = "with_arguments must be a function from the partition's number to a list or a tuple"


class NamedPartition(SpecError):
    """All partitions share one spec, and a name stands for one process only."""

    what = "the spec of a PartitionSupervisor must have no name"


class InvalidMaxChildren(SpecError):
    """max_children is not an integer >= 0 (or math.inf)."""

    what = "max_children must be an integer of at least 0, or math.inf"


# --- administration ---


class AdminError(SupervisorsError):
    """A supervisor refused an operation on `child`."""

    what = "refused"

    def __init__(self, child: object) -> None:
        self.child = child
        super().__init__(f"{self.what}: {child}")


class NotFound(AdminError):
    """The supervisor has no such child."""

    what = "no such child"


class ChildRunning(AdminError):
    """The child is running (OTP `running`)."""

    what = "the child is running"


class ChildRestarting(AdminError):
    """The child is waiting for its next restart (OTP `restarting`)."""

    what = "the child is being restarted"


# --- what callbacks return, and reasons in words ---


class BadReturnValue(SupervisorsError):
    """A callback, or a start function, returned an invalid value (OTP `bad_return_value`)."""

    def __init__(self, where: str, value: object) -> None:
        self.value = value
        # Only the type: the value may be a secret, and this message is logged.
        super().__init__(f"{where} returned a {type(value).__name__}")


def describe(reason: ExitReason) -> str:
    """A reason in a few words, for messages and logs."""
    match reason:
        case Crashed(exception) | Shutdown(BaseException() as exception):
            return f"{type(exception).__name__}: {_text_of(exception)}"
        case Shutdown(None):
            return "shutdown"
        case Shutdown(str() | int() | float() as detail):
            return f"shutdown ({detail})"
        case Shutdown(detail):  # only the type, as for states: it may contain a secret
            return f"shutdown ({type(detail).__name__})"
        case _:
            return type(reason).__name__.lower()


def _text_of(value: object) -> str:
    try:
        return str(value)
    except BaseException as error:  # without this, the process's end would not be reported
        if ends_program(error):
            raise
        return f"(its str() raised {type(error).__name__})"
