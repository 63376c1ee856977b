-- How far the sums of this queue have come; no row where none was made yet.
SELECT p.minutes_until, p.hours_until, p.hours_since FROM nexus.sums_progress AS p WHERE p.queue = '{requests}'
