-- Make visible those of the requests $1 that wait; how many.
SELECT nexus.hasten($1::text[]) AS count
