-- Amazon's own sessions on RDS cannot be ended.
-- Waits, five seconds at most each, until they have ended.
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 5000)) AS ended
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    AND usename <> 'rdsadmin'
