"""What this process has in work: each request's job, and the one table that says where it is."""
