-- 0001_sluice: what every subsystem shares - the inbox, the dead letters, the attempts, the controls.
--
-- Plain SQL, run in one transaction by `sluice migrate up`. Objects live in the default schema of the connection.
-- A migration is never edited after a release; a change is a new file.

-- Inbox -----------------------------------------------------------------------------------------
-- One row per event and subsystem, written in the transaction that applies the event: the row is the
-- proof that it was applied, and its key is why it is applied once.
--
-- occurred_at is the sender's time (Stripe's `created`), the same in every redelivery; it is part of
-- the key because a partitioned unique key must hold the partition column. An event without a time has
-- 1970-01-01 (0) and lives in the default partition, as does any event outside the weeks that exist.
-- event_id leads the key so that one event can be found by its id alone.
CREATE TABLE sluice_inbox (
    subsystem   text        NOT NULL,
    account     text        NOT NULL DEFAULT '',
    livemode    boolean     NOT NULL,
    event_id    text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    source      text        NOT NULL,
    type        text        NOT NULL,
    object      text,
    received_at timestamptz NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now(),
    verdict     text        NOT NULL CHECK (verdict IN ('applied', 'stale', 'ignored', 'replayed')),
    body        bytea,
    PRIMARY KEY (event_id, subsystem, account, livemode, occurred_at)
) PARTITION BY RANGE (occurred_at);

-- lz4 where the server was built with it (Debian's is); its own default otherwise.
DO $$
BEGIN
    ALTER TABLE sluice_inbox ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    RAISE NOTICE 'this server has no lz4; sluice_inbox.body uses the default compression';
END $$;

CREATE INDEX sluice_inbox_received_at ON sluice_inbox USING brin (received_at);
CREATE INDEX sluice_inbox_object ON sluice_inbox (object) WHERE object IS NOT NULL;

CREATE TABLE sluice_inbox_default PARTITION OF sluice_inbox DEFAULT;

COMMENT ON TABLE sluice_inbox IS
    'Every event a subsystem has dealt with, once. Weekly partitions by occurred_at; kept 35 days.';
COMMENT ON COLUMN sluice_inbox.account IS 'Connected account, or the empty string for the own account.';
COMMENT ON COLUMN sluice_inbox.occurred_at IS 'The sender''s time of the event, never the time received; 1970-01-01 when it has none.';
COMMENT ON COLUMN sluice_inbox.verdict IS
    'applied: changed its row. stale: the row already held a newer fact. ignored: archived only. replayed: applied by a replay run.';
COMMENT ON COLUMN sluice_inbox.body IS 'The received bytes, unchanged; NULL in subsystems that do not archive. sluice_event shows them as jsonb.';
COMMENT ON TABLE sluice_inbox_default IS 'Events without a time, or outside the weeks that have a partition. Pruned in small batches.';

-- Creates the weeks (Monday 00:00 UTC) from `since` up to `until` that do not exist yet; returns how many.
-- Safe to call at any time, by several callers at once. Rows of such a week that had to go to the default
-- partition (a simulated clock, a late call) move to the new one, so the key keeps holding.
CREATE FUNCTION sluice_inbox_make_partitions(
    since timestamptz DEFAULT now() - interval '35 days',
    until timestamptz DEFAULT now() + interval '28 days'
) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    home      text;
    partition text;
    week      timestamptz := date_trunc('week', since, 'UTC');
    next_week timestamptz;
    made      integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('sluice_inbox partitions', 0));
    SELECT n.nspname INTO STRICT home
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = 'sluice_inbox'::regclass;

    WHILE week < until LOOP
        next_week := week + interval '168 hours'; -- hours, not days: no daylight saving in it
        partition := format('%I.%I', home, 'sluice_inbox_p' || to_char(week AT TIME ZONE 'UTC', 'YYYYMMDD'));
        IF to_regclass(partition) IS NULL THEN
            EXECUTE format('CREATE TABLE %s (LIKE sluice_inbox INCLUDING ALL)', partition);
            -- Attaching would take this lock anyway; taken first, no row slips in between.
            LOCK TABLE sluice_inbox_default IN ACCESS EXCLUSIVE MODE;
            EXECUTE format(
                'WITH moved AS (DELETE FROM sluice_inbox_default WHERE occurred_at >= %L AND occurred_at < %L RETURNING *)
                 INSERT INTO %s SELECT * FROM moved', week, next_week, partition);
            EXECUTE format('ALTER TABLE sluice_inbox ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                           partition, week, next_week);
            made := made + 1;
        END IF;
        week := next_week;
    END LOOP;
    RETURN made;
END $$;

-- Drops the weeks that ended more than `keep` ago and in which nothing was received since; returns how many.
-- The second condition keeps an old event that arrived late deduplicated for as long as any other.
CREATE FUNCTION sluice_inbox_drop_partitions(keep interval DEFAULT interval '35 days') RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    partition record;
    young     boolean;
    dropped   integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('sluice_inbox partitions', 0));
    FOR partition IN
        SELECT c.oid::regclass AS name
          FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'sluice_inbox'::regclass
           AND c.relname ~ '^sluice_inbox_p[0-9]{8}$'
           AND (to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC') + interval '168 hours' < now() - keep
         ORDER BY c.relname
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE received_at >= now() - %L::interval)', partition.name, keep)
           INTO young;
        IF NOT young THEN
            EXECUTE format('DROP TABLE %s', partition.name);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;

-- Removes at most `batch` rows received more than `keep` ago from the default partition; returns how many.
CREATE FUNCTION sluice_inbox_prune_default(keep interval DEFAULT interval '35 days', batch integer DEFAULT 1000)
RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    pruned integer;
BEGIN
    DELETE FROM sluice_inbox_default
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM sluice_inbox_default WHERE received_at < now() - keep LIMIT batch));
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $$;

SELECT sluice_inbox_make_partitions();

-- A body as jsonb where that is possible, else NULL; never an error. What jsonb cannot hold but a person
-- still wants to read (an escaped U+0000) is shown as U+FFFD; the bytes in the table stay as received.
CREATE FUNCTION sluice_json(body bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN convert_from(body, 'UTF8')::jsonb;
EXCEPTION WHEN untranslatable_character THEN
    BEGIN
        RETURN replace(convert_from(body, 'UTF8'), '\u0000', '\ufffd')::jsonb;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
    END;
WHEN data_exception OR program_limit_exceeded THEN
    RETURN NULL;
END $$;

CREATE VIEW sluice_event AS
SELECT subsystem, account, livemode, event_id, source, type, object, occurred_at, received_at, applied_at, verdict,
       sluice_json(body) AS body
  FROM sluice_inbox
 WHERE body IS NOT NULL;

COMMENT ON VIEW sluice_event IS 'The archived events, body as jsonb; body is NULL where the bytes are not JSON that Postgres can hold.';

-- Dead letters ----------------------------------------------------------------------------------
CREATE TABLE sluice_dead_letter (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subsystem       text        NOT NULL,
    source          text,
    account         text        NOT NULL DEFAULT '',
    livemode        boolean,
    event_id        text,
    type            text,
    object          text,
    occurred_at     timestamptz,
    received_at     timestamptz,
    reason          text        NOT NULL,
    error_class     text        NOT NULL,
    error_code      text        NOT NULL DEFAULT '',
    error           text        NOT NULL DEFAULT '',
    fingerprint     text        NOT NULL DEFAULT '',
    attempts        integer     NOT NULL DEFAULT 0,
    status          text        NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'replaying', 'replayed', 'discarded')),
    routing_key     text,
    replay_run      text,
    note            text,
    payload         jsonb,
    envelope        bytea       NOT NULL,
    body_sha256     bytea       NOT NULL,
    first_failed_at timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

-- One open letter per event and subsystem, or per body when no id could be read.
CREATE UNIQUE INDEX sluice_dead_letter_open
    ON sluice_dead_letter (subsystem, coalesce(event_id, 'sha256:' || encode(body_sha256, 'hex')))
    WHERE status IN ('open', 'replaying');
CREATE INDEX sluice_dead_letter_group ON sluice_dead_letter (subsystem, status, fingerprint);
CREATE INDEX sluice_dead_letter_event ON sluice_dead_letter (event_id);
CREATE INDEX sluice_dead_letter_object ON sluice_dead_letter (object) WHERE object IS NOT NULL;

COMMENT ON TABLE sluice_dead_letter IS 'Events that were given up on, with the reason and the message; people search, replay and discard them here.';
COMMENT ON COLUMN sluice_dead_letter.reason IS 'Why it is here: exhausted, permanent, undecodable, version, unrouted.';
COMMENT ON COLUMN sluice_dead_letter.fingerprint IS 'Failures of one cause share it; groups are counted by it.';
COMMENT ON COLUMN sluice_dead_letter.payload IS 'The event as jsonb, NULL when it cannot be decoded.';
COMMENT ON COLUMN sluice_dead_letter.envelope IS 'The message body as it came from the broker, byte for byte.';
COMMENT ON COLUMN sluice_dead_letter.body_sha256 IS 'SHA-256 of the envelope''s bytes; the identity of a letter that has no event id.';

-- Attempts --------------------------------------------------------------------------------------
CREATE TABLE sluice_attempt (
    subsystem text        NOT NULL,
    event_id  text        NOT NULL,
    type      text        NOT NULL,
    attempt   integer     NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    class     text        NOT NULL,
    code      text        NOT NULL DEFAULT '',
    error     text        NOT NULL DEFAULT ''
);

CREATE INDEX sluice_attempt_event ON sluice_attempt (event_id, at);
CREATE INDEX sluice_attempt_at ON sluice_attempt USING brin (at);

COMMENT ON TABLE sluice_attempt IS 'Every failed try of an event, best effort, so that its history can be read.';

-- Controls --------------------------------------------------------------------------------------
CREATE TABLE sluice_control (
    subsystem  text        NOT NULL DEFAULT '',
    name       text        NOT NULL,
    value      jsonb       NOT NULL,
    reason     text        NOT NULL DEFAULT '',
    actor      text        NOT NULL DEFAULT '',
    expires_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subsystem, name)
);

COMMENT ON TABLE sluice_control IS 'What an operator has set for all consumers: paused subsystems, breakers, knobs. Read every second or so.';
COMMENT ON COLUMN sluice_control.subsystem IS 'The subsystem it is for, or the empty string for all of them.';
COMMENT ON COLUMN sluice_control.expires_at IS 'From then on the row counts as absent; NULL lasts until it is removed.';
