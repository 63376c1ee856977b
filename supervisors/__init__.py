"""An OTP-like actor runtime on trio: GenServer, supervisors, registry.

    class Counter(GenServer): ...

    registry = Registry("Names")
    run(lambda: Supervisor([
        registry.child_spec(),
        ChildSpec("Counter", Counter, name=registry.via("Counter")),
    ]))

`docs/supervisors.md` leads from here to the rest. The rooms, in the order to read them; what stands
in a room is not for users to import, but for the names below:

- errors, telemetry: whatever else there is uses them
- _core: a process: its reasons and messages, its mailbox and its deadlines, its ref, its task
- system: to look into an actor, hold it and trace it (OTP's sys)
- servers: gen_server, agent
- supervision: child_spec, strategies, restart_intensity, shutdown, hosting (one child),
  supervisor_base (what all kinds share), supervisor, dynamic_supervisor
- tasks: task, task_stream, task_supervisor
- registry, watchdog
- to run and to watch: application, introspection, testing
"""

from supervisors import system, telemetry
from supervisors._core.actor_ref import ActorRef, Caller
from supervisors._core.checks import InvalidSpecification
from supervisors._core.handles import LinkedTask, Monitor, Timer
from supervisors._core.mailbox import MailboxBound
from supervisors._core.messages import (
    Call,
    CallResult,
    Continue,
    HandleResult,
    Ignore,
    InitResult,
    NoReply,
    Reply,
    Stop,
)
from supervisors._core.named_ref import AlreadyStarted
from supervisors._core.reasons import (
    Crashed,
    ExitReason,
    ExitWith,
    Killed,
    NoProc,
    Normal,
    Shutdown,
    cause_of,
    is_abnormal,
)
from supervisors._core.signals import Down, Exit, Timeout
from supervisors._core.status import Status
from supervisors._core.threads import NotInTrio, WrongThread
from supervisors.application import Ended, open_tree, run, serve
from supervisors.errors import (
    AdminError,
    AlreadyPresent,
    BadReturnValue,
    CallError,
    CallingSelf,
    CallTimeout,
    ChildRestarting,
    ChildRunning,
    FailedToStartChild,
    MailboxFull,
    MaxChildren,
    NoProcess,
    NotFound,
    ServerExited,
    SpecError,
    StartError,
    StartIgnored,
    StartTimeout,
    SupervisorsError,
)
from supervisors.introspection import Node, tree, unread
from supervisors.registry.errors import (
    AlreadyRegistered,
    NotRegistered,
    NotUnique,
    RegistryError,
    RegistryNotRunning,
    UnhashableKey,
)
from supervisors.registry.registry import Registered, Registry, RegistryEntry, Unregistered
from supervisors.servers.agent import Agent
from supervisors.servers.gen_server import GenServer
from supervisors.supervision.administration import ChildCounts, ChildInfo
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.dynamic_supervisor import DynamicSupervisor
from supervisors.supervision.supervisor import Supervisor
from supervisors.tasks.errors import AlreadyAwaited, NotOwner, TaskError, TaskExited, TaskTimeout
from supervisors.tasks.task import Task, TaskResult
from supervisors.tasks.task_process import Exited, Ok
from supervisors.tasks.task_stream import TaskStream
from supervisors.tasks.task_supervisor import TaskSupervisor
from supervisors.watchdog.watchdog import Watchdog

__all__ = [
    "ActorRef",
    "AdminError",
    "Agent",
    "AlreadyAwaited",
    "AlreadyPresent",
    "AlreadyRegistered",
    "AlreadyStarted",
    "BadReturnValue",
    "Call",
    "CallError",
    "CallResult",
    "CallTimeout",
    "Caller",
    "CallingSelf",
    "ChildCounts",
    "ChildInfo",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "Continue",
    "Crashed",
    "Down",
    "DynamicSupervisor",
    "Ended",
    "Exit",
    "ExitReason",
    "ExitWith",
    "Exited",
    "FailedToStartChild",
    "GenServer",
    "HandleResult",
    "Ignore",
    "InitResult",
    "InvalidSpecification",
    "Killed",
    "LinkedTask",
    "MailboxBound",
    "MailboxFull",
    "MaxChildren",
    "Monitor",
    "NoProc",
    "NoProcess",
    "NoReply",
    "Node",
    "Normal",
    "NotFound",
    "NotInTrio",
    "NotOwner",
    "NotRegistered",
    "NotUnique",
    "Ok",
    "Registered",
    "Registry",
    "RegistryEntry",
    "RegistryError",
    "RegistryNotRunning",
    "Reply",
    "ServerExited",
    "Shutdown",
    "SpecError",
    "StartError",
    "StartIgnored",
    "StartTimeout",
    "Status",
    "Stop",
    "Supervisor",
    "SupervisorsError",
    "Task",
    "TaskError",
    "TaskExited",
    "TaskResult",
    "TaskStream",
    "TaskSupervisor",
    "TaskTimeout",
    "Timeout",
    "Timer",
    "UnhashableKey",
    "Unregistered",
    "Watchdog",
    "WrongThread",
    "cause_of",
    "is_abnormal",
    "open_tree",
    "run",
    "serve",
    "system",
    "telemetry",
    "tree",
    "unread",
]
