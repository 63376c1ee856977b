-- The table that Singularity's Ecto migrations own, for a database where they have not run. Not a numbered
-- migration, because the table is not ours to change: it is made where it is absent, and otherwise left alone.

CREATE TABLE public.job_results (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workflow     varchar(255) NOT NULL,
    instance_id  uuid,
    job_id       bigint,
    status       varchar(255) NOT NULL,
    input        jsonb DEFAULT '{}',
    output       jsonb DEFAULT '{}',
    error        text,
    tokens_used  integer NOT NULL DEFAULT 0,
    cost_cents   integer NOT NULL DEFAULT 0,
    duration_ms  integer,
    inserted_at  timestamp(6) NOT NULL,
    updated_at   timestamp(6) NOT NULL,
    completed_at timestamp(6)
);

CREATE INDEX job_results_workflow_index ON public.job_results (workflow);
CREATE INDEX job_results_instance_id_index ON public.job_results (instance_id);
CREATE INDEX job_results_status_index ON public.job_results (status);
CREATE INDEX job_results_job_id_index ON public.job_results (job_id);
CREATE INDEX job_results_inserted_at_index ON public.job_results (inserted_at);
CREATE INDEX job_results_completed_at_index ON public.job_results (completed_at);
CREATE INDEX job_results_workflow_status_inserted_at_index
    ON public.job_results (workflow, status, inserted_at);
