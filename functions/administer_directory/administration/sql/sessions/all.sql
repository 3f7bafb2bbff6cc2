-- Without the statements: they may hold what people wrote.
SELECT pid, usename AS "user", application_name AS application, client_addr::text AS client,
    state, backend_start AS since, state_change AS changed
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
ORDER BY backend_start
