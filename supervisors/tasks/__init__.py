"""Task, TaskSupervisor and its streams: processes that compute one thing and end."""
