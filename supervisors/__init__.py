"""An OTP-like actor runtime on trio: GenServer, supervisors, registry.

    class Counter(GenServer): ...

    registry = Registry("Names")
    run(lambda: Supervisor([
        registry.child_spec(),
        ChildSpec("Counter", Counter, name=registry.via("Counter")),
    ]))

`docs/supervisors.md` leads from here to the rest. The files, in the order to read them:

- values: reasons, messages, errors, task_errors, child_spec, status, trace
- what holds of all: strays (exceptions that pass on), threads (who may reach an actor)
- a process: mailbox, timekeeper (deadlines and timers), actor_ref, process, linked_tasks, actor
- actors: gen_server, agent, system (OTP's sys)
- supervisors: strategies, restart_intensity, shutdown, administration, hosting (one child),
  supervision (what all kinds share), supervisor, dynamic_supervisor
- tasks: task_process, task, task_stream, task_supervisor
- names: registry_table, registry
- to run and to watch: application, introspection, crash_reports, telemetry, watchdog (with
  loop_view and loop_blame), testing
"""

from supervisors import system, telemetry
from supervisors.actor_ref import ActorRef, Caller
from supervisors.administration import ChildCounts, ChildInfo
from supervisors.agent import Agent
from supervisors.application import Ended, open_tree, run, serve
from supervisors.child_spec import ChildSpec
from supervisors.dynamic_supervisor import DynamicSupervisor
from supervisors.errors import (
    AdminError,
    AlreadyPresent,
    AlreadyRegistered,
    AlreadyStarted,
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
    NotRegistered,
    NotUnique,
    RegistryError,
    RegistryNotRunning,
    ServerExited,
    SpecError,
    StartError,
    StartIgnored,
    StartTimeout,
    SupervisorsError,
    UnhashableKey,
)
from supervisors.gen_server import GenServer
from supervisors.introspection import Node, tree
from supervisors.linked_tasks import LinkedTask
from supervisors.mailbox import MailboxBound
from supervisors.messages import (
    Call,
    CallResult,
    Continue,
    Down,
    Exit,
    HandleResult,
    Ignore,
    InitResult,
    Monitor,
    NoReply,
    Reply,
    Stop,
    Timeout,
)
from supervisors.reasons import (
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
from supervisors.registry import Registered, Registry, RegistryEntry, Unregistered
from supervisors.status import Status
from supervisors.supervisor import Supervisor
from supervisors.task import Task, TaskResult
from supervisors.task_errors import AlreadyAwaited, NotOwner, TaskError, TaskExited, TaskTimeout
from supervisors.task_process import Exited, Ok
from supervisors.task_stream import TaskStream
from supervisors.task_supervisor import TaskSupervisor
from supervisors.threads import WrongThread
from supervisors.timekeeper import Timer
from supervisors.watchdog import Watchdog

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
]
