"""An OTP-like actor runtime on trio: GenServer, supervisors, registry.

    class Counter(GenServer): ...

    registry = Registry("Names")
    run(lambda: Supervisor([
        registry.child_spec(),
        ChildSpec("Counter", Counter, name=registry.via("Counter")),
    ]))

`docs/supervisors.md` is the tutorial. Import these names from here, not from the modules below. The
modules, in the order to read them:

- errors, telemetry: used by all other modules
- _core: a process: its reasons, messages, mailbox, deadlines, ref and task
- system: inspect, suspend and trace an actor (OTP's sys)
- servers: gen_server, agent
- supervision: child_spec, strategies, restart_intensity, shutdown, hosting (one child),
  supervisor_base (shared by all kinds), ordered, supervisor, partition_supervisor,
  dynamic_supervisor
- tasks: task, task_stream, task_supervisor
- registry, watchdog
- to run, observe and test a tree: application, introspection, testing, pytest_plugin
- contrib: connections to other packages; nothing else imports them
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
from supervisors.supervision.partition_supervisor import PartitionSupervisor
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
    "PartitionSupervisor",
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
