-- What is estimated to be the cost of tokens whose cost nobody told, by the prices when they were told
-- (tracker.domain.prices). NULL in `usage`: nothing is estimated.
ALTER TABLE usage ADD COLUMN estimated_micros INTEGER CHECK (estimated_micros >= 0);
ALTER TABLE usage_shares ADD COLUMN estimated_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_sums ADD COLUMN estimated_micros INTEGER NOT NULL DEFAULT 0;
