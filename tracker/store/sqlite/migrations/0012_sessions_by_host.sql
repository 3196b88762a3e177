-- The sessions on a machine, those that reported last first.
CREATE INDEX agent_sessions_by_host ON agent_sessions (host, last_at, id) WHERE host IS NOT NULL;
CREATE INDEX agent_sessions_by_host_in_project ON agent_sessions (project_id, host, last_at, id)
  WHERE host IS NOT NULL;
