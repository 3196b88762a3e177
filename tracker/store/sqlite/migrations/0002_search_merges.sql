-- Left to itself, the search index writes little for long and then much at once, and reports wait
-- for it. tracker.store.search merges a little with everything it adds: segments of a size once
-- there are eight, which writes less than the usual four.
INSERT INTO search (search, rank) VALUES ('automerge', 0), ('usermerge', 8);
