-- Spending of the budgets of site.py: seed.spent is the share of `nightly` that is spent.
INSERT INTO nexus.spending (budget, period, reserved, spent)
VALUES ('nightly', (now() AT TIME ZONE 'UTC')::date, 0.02, 20 * current_setting('seed.spent')::numeric),
       ('all', date_trunc('month', now() AT TIME ZONE 'UTC')::date, 0.4, 171.5)
ON CONFLICT (budget, period) DO UPDATE SET reserved = excluded.reserved, spent = excluded.spent;
