-- Whom of a dead letter has to be told: one row per dead letter of a section with on-dead, kept as long as the letter.
CREATE TABLE sluice_dead_notice (
    dead_letter_id bigint PRIMARY KEY REFERENCES sluice_dead_letter ON DELETE CASCADE,
    round    integer     NOT NULL DEFAULT 1, -- how often the letter has come
    attempts integer     NOT NULL DEFAULT 0, -- of telling, in this round
    due_at   timestamptz NOT NULL DEFAULT now(),
    told_at  timestamptz,
    error    text                            -- of the last attempt
);
CREATE INDEX sluice_dead_notice_due ON sluice_dead_notice (due_at) WHERE told_at IS NULL;

COMMENT ON TABLE sluice_dead_notice IS 'Dead letters that a section''s on-dead is told of, and whether it has been; written with the letter, so none is forgotten.';
