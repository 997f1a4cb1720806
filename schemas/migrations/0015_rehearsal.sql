-- 0015_rehearsal: what a dead letter's copy would come to, tried in a transaction that was rolled back; and how fast a run goes, and what holds it back.

CREATE TABLE sluice_rehearsal (
    copy       text        PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    subsystem  text        NOT NULL,
    outcome    text        NOT NULL CHECK (outcome IN ('applied', 'stale', 'ignored', 'duplicate', 'failed', 'untried')),
    error_class text       NOT NULL DEFAULT '',
    error_code text        NOT NULL DEFAULT '',
    error      text        NOT NULL DEFAULT '',
    constraint_name text   NOT NULL DEFAULT ''
);

COMMENT ON TABLE sluice_rehearsal IS 'Answers of consumers to sluice dead replay --rehearse, which takes its own out again; what nobody took goes after a day. Nothing else of a rehearsal stays anywhere.';
COMMENT ON COLUMN sluice_rehearsal.copy IS 'Of the header sluice-rehearsal: the name of the rehearsal, a slash, the number of the letter.';
COMMENT ON COLUMN sluice_rehearsal.outcome IS 'What a copy would have come to; untried: its handler acts outside the database, so nothing was done.';

ALTER TABLE sluice_replay_run ADD COLUMN pace integer, ADD COLUMN pace_why text NOT NULL DEFAULT '';
COMMENT ON COLUMN sluice_replay_run.pace IS 'Letters a second when the process at work looked last; NULL: none has looked yet.';
COMMENT ON COLUMN sluice_replay_run.pace_why IS 'What makes it slower than it might be.';

ALTER TABLE sluice_consumer ADD COLUMN apply_us bigint;
COMMENT ON COLUMN sluice_consumer.apply_us IS 'How long a transaction takes lately, in microseconds, of its slowest worker; NULL: there was none, or an earlier version.';
