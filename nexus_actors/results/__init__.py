"""From the results queue to the `job_results` table, where callers look for their answer."""
