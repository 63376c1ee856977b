"""PostgreSQL behind the storage ports: PGMQ for the queues, the schema `nexus` for the journal."""
