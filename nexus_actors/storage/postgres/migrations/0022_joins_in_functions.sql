-- Our sessions join by hash what their statements have looked up by lists of keys. These functions look up one row for each of a
-- few others, which is a nested loop.
ALTER FUNCTION nexus.settle_attempts() SET enable_nestloop = on;
ALTER FUNCTION nexus.correct_spending(text, integer, text, numeric, boolean) SET enable_nestloop = on;
ALTER FUNCTION nexus.reserve(text, text, integer, numeric, text[], text[], numeric[]) SET enable_nestloop = on;
ALTER FUNCTION nexus.record_late(text, text, json) SET enable_nestloop = on;
