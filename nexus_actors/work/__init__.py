"""What this process has in work: the job of each request, and the one table that says where it
is."""
