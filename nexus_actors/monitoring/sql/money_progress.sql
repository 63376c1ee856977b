-- How far the sums of this queue have come. No row if there are none yet.
SELECT p.minutes_until, p.hours_until, p.hours_since FROM nexus.sums_progress AS p WHERE p.queue = '{requests}'
