-- 0006_billing_api: the rows of billing_* as the read API shows them.
--
-- A row as a JSON object: Stripe's kind in `object`, `deleted` as a flag, times in seconds since 1970 as Stripe writes them, and nothing of
-- how we keep order. A column that is added later is shown without a change here.
CREATE FUNCTION billing_object(kind text, kept jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object('object', kind, 'deleted', coalesce(kept -> 'deleted_at' <> 'null', false))
           || jsonb_object_agg(key, CASE WHEN value <> 'null' AND key = ANY ('{
                  created,deleted_at,start_date,billing_cycle_anchor,current_period_start,current_period_end,cancel_at,canceled_at,ended_at,
                  trial_start,trial_end,next_payment_attempt,automatically_finalizes_at,due_date,effective_at,period_start,period_end,
                  finalized_at,paid_at,marked_uncollectible_at,voided_at,billed_until}'::text[])
              THEN to_jsonb(extract(epoch FROM (value #>> '{}')::timestamptz)::bigint) ELSE value END)
      FROM jsonb_each(kept - '{src_created,src_phase,src_event_id,synced_at}'::text[])
$$;

COMMENT ON FUNCTION billing_object IS 'A row of a billing table, as jsonb, in the form of the read API.';

-- A list of rows in Stripe's form.
CREATE FUNCTION billing_list(data jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object('object', 'list', 'has_more', false, 'data', coalesce(data, '[]'))
$$;

CREATE FUNCTION billing_subscription_object(s billing_subscription) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT billing_object('subscription', to_jsonb(s)) || jsonb_build_object('items', billing_list((
        SELECT jsonb_agg(billing_object('subscription_item', to_jsonb(i)) ORDER BY i.position, i.id)
          FROM billing_subscription_item i
         WHERE i.account = s.account AND i.livemode = s.livemode AND i.subscription = s.id AND i.deleted_at IS NULL)))
$$;

CREATE FUNCTION billing_invoice_object(v billing_invoice) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT billing_object('invoice', to_jsonb(v)) || jsonb_build_object(
        'lines', billing_list((
            SELECT jsonb_agg(billing_object('line_item', to_jsonb(l)) ORDER BY l.position, l.id)
              FROM billing_invoice_line l
             WHERE l.account = v.account AND l.livemode = v.livemode AND l.invoice = v.id AND l.deleted_at IS NULL)),
        'payments', billing_list((
            SELECT jsonb_agg(billing_object('invoice_payment', to_jsonb(p)) ORDER BY p.created, p.id)
              FROM billing_invoice_payment p
             WHERE p.account = v.account AND p.livemode = v.livemode AND p.invoice = v.id)))
$$;

-- What the API filters by, beside the indexes that are there: the newest of one status.
CREATE INDEX billing_subscription_status ON billing_subscription (account, livemode, status, created DESC, id);
CREATE INDEX billing_invoice_status ON billing_invoice (account, livemode, status, created DESC, id);
