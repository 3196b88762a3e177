-- Up to which event the messages of ended tasks were pruned (tracker.store.sqlite.message_pruning).
ALTER TABLE marks ADD COLUMN messages_pruned INTEGER NOT NULL DEFAULT 0;
