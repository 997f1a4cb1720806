-- 0013_replay_indexes: whatever the planner believes of a table that has just grown, a letter of a run is found by both: an index on the run alone led it to look at
-- every item of the run for each of its letters, and a run of 10,000 met the statement's time limit.

DROP INDEX sluice_replay_item_undecided;
DROP INDEX sluice_replay_item_decided;
CREATE INDEX sluice_replay_item_undecided ON sluice_replay_item (run, dead_letter_id) WHERE outcome IS NULL;
