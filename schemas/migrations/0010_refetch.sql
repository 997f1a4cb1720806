-- 0010_refetch: objects of which Stripe is to be asked, and the accounts that have left.

-- One row per object, however many events ask for it. Written in the transaction of the event that asks, so that none is forgotten.
CREATE TABLE billing_refetch (
    account   text        NOT NULL DEFAULT '',
    livemode  boolean     NOT NULL,
    kind      text        NOT NULL,
    id        text        NOT NULL,
    reason    text        NOT NULL,
    snapshots text[],
    is_gone   boolean     NOT NULL DEFAULT false,
    round     bigint      NOT NULL DEFAULT 1,
    tries     integer     NOT NULL DEFAULT 0,
    asked_at  timestamptz NOT NULL DEFAULT now(),
    due_at    timestamptz NOT NULL,
    error     text,
    PRIMARY KEY (account, livemode, kind, id)
);

CREATE INDEX billing_refetch_due ON billing_refetch (livemode, due_at);

COMMENT ON TABLE billing_refetch IS 'Objects that Stripe will be asked about soon; a row goes when the answer was published as an event.';
COMMENT ON COLUMN billing_refetch.kind IS 'customer, subscription, invoice or invoice_payment; event: a thin event whose data has to be fetched first.';
COMMENT ON COLUMN billing_refetch.reason IS 'ambiguous: events of one second that nothing puts in order; incomplete: a list was sent in part; thin: an event without its object; unmade: an event that Stripe could not make.';
COMMENT ON COLUMN billing_refetch.snapshots IS 'Events that say the same: when all of them have arrived, nobody is asked. NULL: ask in any case.';
COMMENT ON COLUMN billing_refetch.is_gone IS 'An event says that the object was deleted, so Stripe not knowing it is believed.';
COMMENT ON COLUMN billing_refetch.round IS 'Grows with each event that asks; an answer to an earlier round is not the last word.';
COMMENT ON COLUMN billing_refetch.error IS 'Why the last try failed.';

-- Connected accounts, as far as events have told.
CREATE TABLE billing_account (
    account         text        NOT NULL,
    livemode        boolean     NOT NULL,
    id              text        NOT NULL,
    application     text,
    deauthorized_at timestamptz,
    deleted_at      timestamptz,
    src_created     timestamptz NOT NULL,
    src_phase       smallint    NOT NULL,
    src_event_id    text        NOT NULL,
    synced_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, livemode, id)
);

COMMENT ON TABLE billing_account IS 'Connected accounts that authorized or deauthorized our application. After deauthorized_at nothing of the account arrives any more, and Stripe is not asked about it.';
COMMENT ON COLUMN billing_account.id IS 'The same as account.';
COMMENT ON COLUMN billing_account.deauthorized_at IS 'NULL again when the account authorizes anew.';
