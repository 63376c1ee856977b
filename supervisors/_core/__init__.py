"""The parts of every actor. No file imports those after it: copying, reasons, status, strays,
checks, threads, messages, timekeeper, mailbox; actor_ref; handles (timers, monitors, linked tasks),
signals, trace; behaviour, program_end, process; named_ref, linked_tasks, actor. The public part is
exported by `supervisors`.
"""
