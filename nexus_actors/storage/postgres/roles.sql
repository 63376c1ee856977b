-- Two roles with just what they need, for a database that an owner has prepared (nexus db migrate). Safe to repeat; give each
-- a password (ALTER ROLE … PASSWORD …) or another way to log in.

-- The service: leases, finishes, archives, journals. It can create, drop and purge nothing.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{service}') THEN
        CREATE ROLE {service} LOGIN;
    END IF;
END $$;
GRANT USAGE ON SCHEMA pgmq, nexus TO {service};
GRANT SELECT, UPDATE, DELETE ON pgmq.q_{requests} TO {service};
GRANT SELECT, INSERT, DELETE ON pgmq.a_{requests}, pgmq.q_{dead}, pgmq.a_{results} TO {service};
GRANT SELECT, INSERT, UPDATE, DELETE ON pgmq.q_{results} TO {service};
GRANT SELECT, INSERT, UPDATE ON nexus.attempts, nexus.rate_limits, nexus.spending TO {service};
GRANT SELECT, INSERT, UPDATE, DELETE ON nexus.requests, nexus.model_quirks TO {service};
GRANT SELECT, INSERT, DELETE ON nexus.reservations, nexus.assumed_costs TO {service};
GRANT SELECT ON nexus.migrations, nexus.steps TO {service};
GRANT SELECT, INSERT ON public.job_results TO {service};

-- A producer: sends requests, reads stored results. It can read no request, its own included.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{producer}') THEN
        CREATE ROLE {producer} LOGIN;
    END IF;
END $$;
GRANT USAGE ON SCHEMA pgmq TO {producer};
GRANT INSERT, SELECT (msg_id) ON pgmq.q_{requests} TO {producer};
GRANT SELECT ON public.job_results TO {producer};
