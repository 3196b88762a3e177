-- What telemetry tells of agents' sessions (tracker.agents.session_usage). `told`: a hook has told of
-- the session, or it was shown without; else `project` is only what telemetry says. `look_at`: when
-- what waits of it is to be settled.
ALTER TABLE hook_sessions ADD COLUMN told INTEGER NOT NULL DEFAULT 1 CHECK (told IN (0, 1));
ALTER TABLE hook_sessions ADD COLUMN look_at INTEGER;

CREATE INDEX hook_sessions_to_settle ON hook_sessions (look_at) WHERE look_at IS NOT NULL;
