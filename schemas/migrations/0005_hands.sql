-- 0004_hands: what each running consumer does, so that people see it and an order to all of them can be waited for.

CREATE TABLE sluice_consumer (
    instance    text        NOT NULL,
    subsystem   text        NOT NULL,
    version     text        NOT NULL,
    seen_at     timestamptz NOT NULL,
    orders_at   timestamptz,
    workers     integer     NOT NULL,
    workers_max integer     NOT NULL,
    paused      boolean     NOT NULL,
    batch       integer     NOT NULL,
    attempts    integer     NOT NULL,
    held        bigint      NOT NULL,
    settled     bigint      NOT NULL,
    failed      bigint      NOT NULL,
    oldest_at   timestamptz,
    waiting     bigint,
    PRIMARY KEY (instance, subsystem)
) WITH (fillfactor = 50);

COMMENT ON TABLE sluice_consumer IS 'One row per running consumer and subsystem, written about every second; a row not seen for 15 s is of a consumer that is gone.';
COMMENT ON COLUMN sluice_consumer.orders_at IS 'The state of sluice_control it acts on; NULL before the first reading.';
COMMENT ON COLUMN sluice_consumer.workers IS 'Workers that take deliveries now, of workers_max that the section makes.';
COMMENT ON COLUMN sluice_consumer.held IS 'Deliveries in hand: taken from the broker, not acknowledged.';
COMMENT ON COLUMN sluice_consumer.settled IS 'Deliveries acknowledged after being dealt with, since its start.';
COMMENT ON COLUMN sluice_consumer.failed IS 'Tries that failed, since its start.';
COMMENT ON COLUMN sluice_consumer.oldest_at IS 'When the oldest event in hand was received; NULL: none in hand.';
COMMENT ON COLUMN sluice_consumer.waiting IS 'Messages waiting in the queue, as the broker last told it; NULL: not known.';
