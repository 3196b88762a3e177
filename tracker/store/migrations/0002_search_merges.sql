-- Left to itself, the search index writes little for long and then much at once, and reports wait
-- for it. tracker.store.search merges a little with everything it adds.
INSERT INTO search (search, rank) VALUES ('automerge', 0);
