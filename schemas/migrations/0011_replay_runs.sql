-- 0011_replay_runs: replays of dead letters as runs that are looked at, paused, resumed, aborted and proved. schemas/replay.md says how they work together.

-- Audit -----------------------------------------------------------------------------------------
CREATE TABLE sluice_audit (
    seq      bigint      PRIMARY KEY CHECK (seq > 0),
    at       timestamptz NOT NULL,
    actor    text        NOT NULL,
    act      text        NOT NULL,
    subject  text        NOT NULL,
    reason   text        NOT NULL,
    detail   jsonb       NOT NULL,
    previous bytea       NOT NULL,
    hash     bytea       NOT NULL
);

COMMENT ON TABLE sluice_audit IS 'What people did, and why: append-only. Each row holds the hash of the one before it, so that a changed or missing row is found (sluice replay verify).';
COMMENT ON COLUMN sluice_audit.seq IS 'From 1, without a gap.';
COMMENT ON COLUMN sluice_audit.hash IS 'SHA-256 of previous, then the text of jsonb_build_array(seq, microseconds of at, actor, act, subject, reason, detail).';

CREATE FUNCTION sluice_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'sluice_audit is append-only';
END $$;
CREATE TRIGGER sluice_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sluice_audit
    FOR EACH STATEMENT EXECUTE FUNCTION sluice_audit_refuse();

-- Appends one row and returns its seq. Appenders wait for each other until their transaction ends.
CREATE FUNCTION sluice_audit_add(act text, subject text, actor text, reason text, detail jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    last sluice_audit;
    row_ sluice_audit;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('sluice audit', 0));
    SELECT * INTO last FROM sluice_audit ORDER BY seq DESC LIMIT 1;
    row_ := ROW(coalesce(last.seq, 0) + 1, clock_timestamp(), coalesce(actor, ''), act, subject, coalesce(reason, ''),
                coalesce(detail, '{}'), coalesce(last.hash, decode(repeat('00', 32), 'hex')), NULL);
    row_.hash := sha256(row_.previous || convert_to(jsonb_build_array(row_.seq, (extract(epoch FROM row_.at) * 1000000)::bigint,
                        row_.actor, row_.act, row_.subject, row_.reason, row_.detail)::text, 'UTF8'));
    INSERT INTO sluice_audit VALUES (row_.*);
    RETURN row_.seq;
END $$;

-- Runs ------------------------------------------------------------------------------------------
CREATE TABLE sluice_replay_run (
    run              text        PRIMARY KEY,
    status           text        NOT NULL CHECK (status IN ('planned', 'running', 'paused', 'published', 'done', 'aborted')),
    why              text        NOT NULL DEFAULT '',
    filter           jsonb       NOT NULL,
    target           text,
    actor            text        NOT NULL,
    reason           text        NOT NULL DEFAULT '',
    letters          bigint      NOT NULL,
    canary           bigint      NOT NULL DEFAULT 0,
    canary_passed_at timestamptz,
    rate             integer     NOT NULL,
    audit_seq        bigint,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    ended_at         timestamptz
);
CREATE INDEX sluice_replay_run_created ON sluice_replay_run (created_at);

COMMENT ON TABLE sluice_replay_run IS 'Replays of dead letters: one row a run, kept for ever.';
COMMENT ON COLUMN sluice_replay_run.status IS
    'planned: the set is frozen, nothing is published. running: a process publishes, or was cut off. paused: a person or a gate stopped it. published: all are, not all are decided. done, aborted: the end.';
COMMENT ON COLUMN sluice_replay_run.why IS 'Why it has this status, when there is more to say than the status.';
COMMENT ON COLUMN sluice_replay_run.target IS 'The subsystem it is redirected to; NULL: each letter goes to its own.';
COMMENT ON COLUMN sluice_replay_run.canary IS 'So many letters go first and are judged before any other is published; 0: none.';
COMMENT ON COLUMN sluice_replay_run.rate IS 'Letters a second at most.';
COMMENT ON COLUMN sluice_replay_run.audit_seq IS 'The last row of sluice_audit about it.';

CREATE TABLE sluice_replay_item (
    run            text        NOT NULL REFERENCES sluice_replay_run,
    dead_letter_id bigint      NOT NULL REFERENCES sluice_dead_letter ON DELETE CASCADE,
    subsystem      text        NOT NULL,
    event_id       text,
    type           text,
    fingerprint    text        NOT NULL,
    is_canary      boolean     NOT NULL,
    outcome        text        CHECK (outcome IN ('applied', 'failed', 'withdrawn')),
    error_code     text,
    new_cause      boolean,
    published_at   timestamptz,
    decided_at     timestamptz,
    PRIMARY KEY (run, dead_letter_id)
);
-- No two runs have the same letter at one time.
CREATE UNIQUE INDEX sluice_replay_item_claim ON sluice_replay_item (dead_letter_id) WHERE outcome IS NULL;
CREATE INDEX sluice_replay_item_letter ON sluice_replay_item (dead_letter_id);
CREATE INDEX sluice_replay_item_undecided ON sluice_replay_item (run) WHERE outcome IS NULL;
CREATE INDEX sluice_replay_item_decided ON sluice_replay_item (run, decided_at);

COMMENT ON TABLE sluice_replay_item IS 'The letters of each run, as they were when its set was frozen, and what became of each; a row goes with its letter.';
COMMENT ON COLUMN sluice_replay_item.outcome IS
    'NULL: not known yet. applied: the inbox has the event. failed: the letter is open again. withdrawn: the run was aborted, or the letter opened by hand, before it was published.';
COMMENT ON COLUMN sluice_replay_item.error_code IS 'Of a failed one: why, this time.';
COMMENT ON COLUMN sluice_replay_item.new_cause IS 'Of a failed one: it failed with another fingerprint than the one it was set aside with.';

-- A letter that is no longer being replayed is decided, whoever decided it.
CREATE FUNCTION sluice_replay_decide() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE sluice_replay_item
       SET outcome      = CASE NEW.status WHEN 'replayed' THEN 'applied' WHEN 'open' THEN 'failed' ELSE 'withdrawn' END,
           error_code   = CASE WHEN NEW.status = 'open' THEN NEW.error_code END,
           new_cause    = CASE WHEN NEW.status = 'open' THEN NEW.fingerprint <> fingerprint END,
           published_at = coalesce(OLD.published_at, CASE WHEN NEW.status <> 'discarded' THEN clock_timestamp() END),
           decided_at   = clock_timestamp()
     WHERE dead_letter_id = NEW.id AND outcome IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER sluice_dead_letter_decided AFTER UPDATE OF status ON sluice_dead_letter
    FOR EACH ROW WHEN (OLD.status = 'replaying' AND NEW.status <> 'replaying') EXECUTE FUNCTION sluice_replay_decide();

-- Appends to the audit what was done to a run.
CREATE FUNCTION sluice_replay_note(of_run text, act text, actor text, reason text, detail jsonb) RETURNS void
LANGUAGE sql AS $$
    UPDATE sluice_replay_run SET audit_seq = sluice_audit_add(act, 'replay ' || of_run, actor, reason, detail) WHERE run = of_run
$$;

-- Brings a run from one of `froms` to another status, and into the audit; false when it was in none of them.
CREATE FUNCTION sluice_replay_move(of_run text, froms text[], goal text, why_now text, act text, actor text, reason text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    before text;
BEGIN
    SELECT status INTO before FROM sluice_replay_run WHERE run = of_run FOR UPDATE;
    IF before IS NULL OR before <> ALL (froms) THEN
        RETURN false;
    END IF;
    UPDATE sluice_replay_run
       SET status = goal, why = why_now, updated_at = now(), ended_at = CASE WHEN goal IN ('done', 'aborted') THEN now() END
     WHERE run = of_run;
    PERFORM sluice_replay_note(of_run, act, actor, reason, jsonb_build_object('from', before, 'to', goal, 'why', why_now));
    RETURN true;
END $$;

-- Opens what a run has not published, and returns how many; for an aborted run that no process works on.
CREATE FUNCTION sluice_replay_withdraw(of_run text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    withdrawn bigint;
BEGIN
    PERFORM FROM sluice_dead_letter WHERE replay_run = of_run AND status = 'replaying' AND published_at IS NULL ORDER BY id FOR UPDATE;
    UPDATE sluice_replay_item i
       SET outcome = 'withdrawn', decided_at = clock_timestamp()
      FROM sluice_dead_letter d
     WHERE i.run = of_run AND i.outcome IS NULL AND d.id = i.dead_letter_id AND d.status = 'replaying' AND d.published_at IS NULL;
    UPDATE sluice_dead_letter
       SET status = 'open', updated_at = now()
     WHERE replay_run = of_run AND status = 'replaying' AND published_at IS NULL;
    GET DIAGNOSTICS withdrawn = ROW_COUNT;
    RETURN withdrawn;
END $$;

-- As before (0003), and: a redirected letter is done when its target's inbox has the event, and open again when the target gave it up; a run of which
-- all is published and decided is done.
CREATE OR REPLACE FUNCTION sluice_dead_letter_close(batch integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    closed integer;
    ended  record;
BEGIN
    UPDATE sluice_dead_letter
       SET status = 'replayed', updated_at = now()
     WHERE id IN (
        SELECT d.id
          FROM sluice_dead_letter d LEFT JOIN sluice_replay_run r ON r.run = d.replay_run
         WHERE d.status = 'replaying' AND d.event_id IS NOT NULL
           AND EXISTS (SELECT FROM sluice_inbox i
                        WHERE i.event_id = d.event_id AND i.account = d.account
                          AND i.livemode = d.livemode AND i.occurred_at = d.occurred_at
                          AND (i.subsystem = coalesce(r.target, d.subsystem) OR coalesce(r.target, d.subsystem) = 'unrouted'))
         ORDER BY d.id
         LIMIT batch
           FOR UPDATE OF d SKIP LOCKED);
    GET DIAGNOSTICS closed = ROW_COUNT;
    UPDATE sluice_dead_letter
       SET status = 'open', updated_at = now()
     WHERE id IN (
        SELECT d.id
          FROM sluice_dead_letter d JOIN sluice_replay_run r ON r.run = d.replay_run AND r.target IS NOT NULL
         WHERE d.status = 'replaying' AND d.published_at IS NOT NULL
           AND EXISTS (SELECT FROM sluice_dead_letter o
                        WHERE o.event_id = d.event_id AND o.subsystem = r.target AND o.status = 'open'
                          AND o.replay_run = d.replay_run)
         ORDER BY d.id
         LIMIT batch
           FOR UPDATE OF d SKIP LOCKED);
    FOR ended IN
        SELECT r.run FROM sluice_replay_run r
         WHERE r.status = 'published'
           AND NOT EXISTS (SELECT FROM sluice_replay_item i WHERE i.run = r.run AND i.outcome IS NULL)
         ORDER BY r.run
           FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM sluice_replay_move(ended.run, '{published}', 'done', '', 'done', 'sluice', '');
    END LOOP;
    RETURN closed;
END $$;

-- What a replay of before this version has not finished is a run that was cut off.
INSERT INTO sluice_replay_run (run, status, filter, actor, reason, letters, rate)
SELECT replay_run, 'running', '{}', '', 'begun by an earlier version', count(*), 10
  FROM sluice_dead_letter WHERE status = 'replaying' AND replay_run IS NOT NULL GROUP BY 1;
INSERT INTO sluice_replay_item (run, dead_letter_id, subsystem, event_id, type, fingerprint, is_canary)
SELECT replay_run, id, subsystem, event_id, type, fingerprint, false
  FROM sluice_dead_letter WHERE status = 'replaying' AND replay_run IS NOT NULL;
SELECT sluice_replay_note(run, 'adopted', '', reason, jsonb_build_object('letters', letters)) FROM sluice_replay_run;
