-- Make those of the requests $1 visible that wait. Returns how many.
SELECT nexus.hasten($1::text[]) AS count
