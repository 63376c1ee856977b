"""What every actor is made of. No file knows those after it: copying, reasons, status, strays,
checks, threads, messages, timekeeper, mailbox; actor_ref; handles (timers, monitors, linked tasks),
signals, trace; behaviour, program_end, process; named_ref, linked_tasks, actor. Users find their
part of it in `supervisors`.
"""
