-- Whether any request waits for a provider or for the end of a pause.
SELECT EXISTS (SELECT FROM nexus.requests AS r WHERE r.state = 'waiting' AND r.queue = '{requests}')
