-- Writes the newest subscription of each key, unless the row already holds a newer fact.
-- Order: terminal (src_phase 3), src_created, src_phase, progress. Of two equal ones the stored stays, unless $41 says that
-- these are known to be the last of their second (twins.sql). Keys are distinct.
-- Returns the keys written; late = what arrived is older than the deletion the row already knew.
INSERT INTO billing_subscription AS b (
    account, livemode, id, customer, status, collection_method, currency, description, start_date,
    billing_cycle_anchor, current_period_start, current_period_end, cancel_at, cancel_at_period_end,
    canceled_at, cancellation_details, ended_at, trial_start, trial_end, trial_settings, pause_collection,
    pending_update, schedule, latest_invoice, default_payment_method, default_source, days_until_due, discounts,
    billing_mode, on_behalf_of, transfer_data, application_fee_percent, items_has_more, test_clock, metadata,
    created, deleted_at, src_created, src_phase, src_event_id)
SELECT
    i.account, i.livemode, i.id, i.customer, i.status, i.collection_method, i.currency, i.description,
    i.start_date, i.billing_cycle_anchor, i.current_period_start, i.current_period_end, i.cancel_at,
    i.cancel_at_period_end, i.canceled_at, i.cancellation_details::jsonb, i.ended_at, i.trial_start,
    i.trial_end, i.trial_settings::jsonb, i.pause_collection::jsonb, i.pending_update::jsonb, i.schedule,
    i.latest_invoice, i.default_payment_method, i.default_source, i.days_until_due, i.discounts::jsonb,
    i.billing_mode::jsonb, i.on_behalf_of, i.transfer_data::jsonb, i.application_fee_percent::numeric,
    i.items_has_more, i.test_clock, i.metadata::jsonb, i.created, i.deleted_at, i.src_created,
    i.src_phase::smallint, i.src_event_id
  FROM unnest(
    $1::text[], $2::boolean[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
    $14::boolean[], $15::timestamptz[], $16::text[], $17::timestamptz[], $18::timestamptz[], $19::timestamptz[],
    $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[], $27::bigint[],
    $28::text[], $29::text[], $30::text[], $31::text[], $32::text[], $33::boolean[], $34::text[], $35::text[],
    $36::timestamptz[], $37::timestamptz[], $38::timestamptz[], $39::bigint[], $40::text[]
  ) AS i(
    account, livemode, id, customer, status, collection_method, currency, description, start_date,
    billing_cycle_anchor, current_period_start, current_period_end, cancel_at, cancel_at_period_end,
    canceled_at, cancellation_details, ended_at, trial_start, trial_end, trial_settings, pause_collection,
    pending_update, schedule, latest_invoice, default_payment_method, default_source, days_until_due, discounts,
    billing_mode, on_behalf_of, transfer_data, application_fee_percent, items_has_more, test_clock, metadata,
    created, deleted_at, src_created, src_phase, src_event_id)
 ORDER BY i.account, i.livemode, i.id
    ON CONFLICT (account, livemode, id) DO UPDATE SET
    (customer, status, collection_method, currency, description, start_date, billing_cycle_anchor,
     current_period_start, current_period_end, cancel_at, cancel_at_period_end, canceled_at,
     cancellation_details, ended_at, trial_start, trial_end, trial_settings, pause_collection, pending_update,
     schedule, latest_invoice, default_payment_method, default_source, days_until_due, discounts, billing_mode,
     on_behalf_of, transfer_data, application_fee_percent, items_has_more, test_clock, metadata, created,
     src_created, src_phase, src_event_id)
    = (excluded.customer, excluded.status, excluded.collection_method, excluded.currency, excluded.description,
       excluded.start_date, excluded.billing_cycle_anchor, excluded.current_period_start,
       excluded.current_period_end, excluded.cancel_at, excluded.cancel_at_period_end, excluded.canceled_at,
       excluded.cancellation_details, excluded.ended_at, excluded.trial_start, excluded.trial_end,
       excluded.trial_settings, excluded.pause_collection, excluded.pending_update, excluded.schedule,
       excluded.latest_invoice, excluded.default_payment_method, excluded.default_source,
       excluded.days_until_due, excluded.discounts, excluded.billing_mode, excluded.on_behalf_of,
       excluded.transfer_data, excluded.application_fee_percent, excluded.items_has_more, excluded.test_clock,
       excluded.metadata, excluded.created, excluded.src_created, excluded.src_phase, excluded.src_event_id),
    deleted_at = least(b.deleted_at, excluded.deleted_at),
    synced_at = now()
    WHERE (excluded.src_phase = 3, excluded.src_created, excluded.src_phase,
           billing_subscription_rank(excluded.status), excluded.ended_at IS NOT NULL)
        > (b.src_phase = 3, b.src_created, b.src_phase, billing_subscription_rank(b.status), b.ended_at IS
           NOT NULL)
       OR ($41::boolean[])[1]
      AND (excluded.src_phase = 3, excluded.src_created, excluded.src_phase,
           billing_subscription_rank(excluded.status), excluded.ended_at IS NOT NULL)
        = (b.src_phase = 3, b.src_created, b.src_phase, billing_subscription_rank(b.status), b.ended_at IS
           NOT NULL)
RETURNING b.account, b.livemode, b.id, (b.deleted_at IS NOT NULL AND b.src_phase < 3) AS late
