-- Agents that are plugged in (tracker.domain.hooks). Which project a folder is, on each host.
CREATE TABLE hook_folders (
  host TEXT NOT NULL,
  folder TEXT NOT NULL,
  remote TEXT NOT NULL,
  project TEXT NOT NULL CHECK (length(project) BETWEEN 1 AND 255),
  PRIMARY KEY (host, folder)
) STRICT, WITHOUT ROWID;

CREATE INDEX hook_folders_by_project ON hook_folders (project);

-- Their sessions. `parent`: the session that has started this one, which has the state; else
-- `state` is what its next payload is read with, as JSON. `busy`: its tasks with an open tool call,
-- a list. From `boot_id` on: the agent's process, once it is known; `seen`: this server has seen it
-- alive.
CREATE TABLE hook_sessions (
  agent TEXT NOT NULL,
  session TEXT NOT NULL CHECK (length(session) BETWEEN 1 AND 255),
  parent TEXT,
  project TEXT CHECK (length(project) BETWEEN 1 AND 255),
  state TEXT,
  busy TEXT NOT NULL DEFAULT '[]',
  lives INTEGER NOT NULL DEFAULT 0 CHECK (lives IN (0, 1)),
  last_at INTEGER NOT NULL,
  host TEXT NOT NULL DEFAULT '',
  boot_id TEXT,
  pid_namespace TEXT,
  pid INTEGER,
  started TEXT,
  seen INTEGER NOT NULL DEFAULT 0 CHECK (seen IN (0, 1)),
  PRIMARY KEY (agent, session),
  CHECK ((parent IS NULL) = (state IS NOT NULL) AND (parent IS NULL) = (project IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX hook_sessions_that_live ON hook_sessions (last_at) WHERE lives;
CREATE INDEX hook_sessions_by_age ON hook_sessions (last_at);

-- What has come from each agent, by the names of its events.
CREATE TABLE hook_events (
  agent TEXT NOT NULL,
  event TEXT NOT NULL,
  known INTEGER NOT NULL CHECK (known IN (0, 1)),
  count INTEGER NOT NULL CHECK (count > 0),
  last_at INTEGER NOT NULL,
  PRIMARY KEY (agent, event)
) STRICT, WITHOUT ROWID;

-- How many sessions there were.
CREATE TABLE hook_agents (
  agent TEXT PRIMARY KEY,
  sessions INTEGER NOT NULL CHECK (sessions > 0)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER hook_session_begun AFTER INSERT ON hook_sessions
BEGIN
  INSERT INTO hook_agents (agent, sessions) VALUES (NEW.agent, 1)
    ON CONFLICT (agent) DO UPDATE SET sessions = sessions + 1;
END;

-- The agent itself (its tasks may be sub-agents'), where it runs, and whether the session lives: it
-- may wait for its user's next prompt, without any task at work.
ALTER TABLE agent_sessions ADD COLUMN agent TEXT;
ALTER TABLE agent_sessions ADD COLUMN host TEXT;
ALTER TABLE agent_sessions ADD COLUMN lives INTEGER NOT NULL DEFAULT 0 CHECK (lives IN (0, 1));

DROP INDEX agent_sessions_at_work;
DROP INDEX agent_sessions_at_work_in_project;
CREATE INDEX agent_sessions_at_work ON agent_sessions (last_at, id)
  WHERE pending + running + lives > 0;
CREATE INDEX agent_sessions_at_work_in_project ON agent_sessions (project_id, last_at, id)
  WHERE pending + running + lives > 0;

DROP TRIGGER session_begun;
CREATE TRIGGER session_begun AFTER INSERT ON agent_sessions
BEGIN
  UPDATE projects SET
    sessions = sessions + 1,
    sessions_at_work = sessions_at_work + (NEW.pending + NEW.running + NEW.lives > 0)
  WHERE id = NEW.project_id;
END;

DROP TRIGGER session_goes_on;
CREATE TRIGGER session_goes_on AFTER UPDATE ON agent_sessions
WHEN (OLD.pending + OLD.running + OLD.lives > 0) <> (NEW.pending + NEW.running + NEW.lives > 0)
BEGIN
  UPDATE projects SET
    sessions_at_work = sessions_at_work
      + (NEW.pending + NEW.running + NEW.lives > 0) - (OLD.pending + OLD.running + OLD.lives > 0)
  WHERE id = NEW.project_id;
END;

DROP TRIGGER session_gone;
CREATE TRIGGER session_gone AFTER DELETE ON agent_sessions
BEGIN
  UPDATE projects SET
    sessions = sessions - 1,
    sessions_at_work = sessions_at_work - (OLD.pending + OLD.running + OLD.lives > 0)
  WHERE id = OLD.project_id;
  DELETE FROM usage_sums
    WHERE project_id = OLD.project_id AND kind = 'session' AND name = OLD.session;
END;
