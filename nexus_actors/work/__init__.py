"""What this process has in work: a job for each leased request, and the table that says where each
job is."""
