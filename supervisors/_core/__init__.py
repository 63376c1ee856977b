"""What every actor is made of, from the smallest up: reasons, strays, threads, messages, mailbox,
timekeeper, actor_ref, process, linked_tasks, actor. Users find their part of it in `supervisors`.
"""
