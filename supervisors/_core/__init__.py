"""What every actor is made of. No file knows those after it: reasons, strays, checks, threads,
messages, timekeeper, mailbox; actor_ref; handles (timers, monitors, linked tasks), signals, trace;
behaviour, process; named_ref, linked_tasks, actor. Users find their part of it in `supervisors`.
"""
