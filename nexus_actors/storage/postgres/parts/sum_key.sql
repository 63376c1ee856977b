md5(jsonb_build_array(agent_id, task_type, complexity, provider, model, error_type)::text)::uuid
