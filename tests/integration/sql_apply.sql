-- Stories for the apply statements. Run by test_sql_apply.sh, which has prepared them.
--
-- apply('customer_upsert', rows) turns a JSON array of rows into the statement's parameter arrays: the columns of the table
-- in table order, without the ones only the database writes. It returns the keys written, in order.

CREATE FUNCTION pg_temp.params(row_list jsonb, names text[]) RETURNS text
LANGUAGE sql AS $$
    SELECT string_agg(format('%L', (SELECT array_agg(e.v ->> c.name ORDER BY e.n)::text
                                      FROM jsonb_array_elements(row_list) WITH ORDINALITY e(v, n))), ', ' ORDER BY c.n)
      FROM unnest(names) WITH ORDINALITY c(name, n)
$$;

CREATE FUNCTION pg_temp.columns(relation text, is_child boolean) RETURNS text[]
LANGUAGE sql AS $$
    SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
     WHERE attrelid = relation::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'synced_at'
       AND NOT (is_child AND attname = 'deleted_at')
$$;

-- A prepared INSERT cannot be read from, a function with the same text can.
DO $$
DECLARE
    prepared record;
BEGIN
    FOR prepared IN SELECT name, array_to_string(parameter_types, ', ') AS types,
                           regexp_replace(regexp_replace(statement, '^PREPARE \S+ AS', ''), ';\s*$', '') AS body
                      FROM pg_prepared_statements WHERE name ~ '_(upsert|delete|missing)$' LOOP
        IF prepared.name ~ '_(item|line)_' THEN
            EXECUTE format('CREATE FUNCTION pg_temp.%I(%s) RETURNS bigint LANGUAGE sql AS %L', prepared.name, prepared.types,
                           'WITH changed AS (' || prepared.body || ' RETURNING 1) SELECT count(*) FROM changed');
        ELSE
            EXECUTE format('CREATE FUNCTION pg_temp.%I(%s) RETURNS SETOF record LANGUAGE sql AS %L', prepared.name, prepared.types,
                           prepared.body);
        END IF;
    END LOOP;
END $$;

-- For a parent: 'cus_1 cus_2(late)'. For children and marks: how many rows changed.
-- is_last: the upsert of a parent is told that its rows are the last of their second.
CREATE FUNCTION pg_temp.apply(statement text, row_list jsonb, is_last boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    relation text := 'billing_' || regexp_replace(statement, '_(upsert|delete|missing)$', '');
    is_child boolean := statement ~ '_(item|line)_';
    names    text[];
    full_rows jsonb;
    said     text;
BEGIN
    SELECT jsonb_agg(jsonb_build_object('account', '', 'livemode', false, 'position', 0) || e) INTO full_rows
      FROM jsonb_array_elements(row_list) e;
    names := CASE
        WHEN statement LIKE '%\_missing' THEN ARRAY['account', 'livemode', 'id', 'src_event_id']
        WHEN statement LIKE '%\_delete' THEN ARRAY['account', 'livemode', 'id', 'deleted_at', 'src_event_id']
        ELSE pg_temp.columns(relation, is_child) END;
    IF is_child THEN
        EXECUTE format('SELECT pg_temp.%I(%s)', statement, pg_temp.params(full_rows, names)) INTO said;
        RETURN said;
    END IF;
    EXECUTE format($f$SELECT coalesce(string_agg(id || CASE WHEN late THEN '(late)' ELSE '' END, ' '), '')
                        FROM pg_temp.%I(%s) AS (account text, livemode boolean, id text, late boolean)$f$,
                   statement, pg_temp.params(full_rows, names)
                              || CASE WHEN statement LIKE '%\_upsert' THEN format(', ARRAY[%L]::boolean[]', is_last) ELSE '' END) INTO said;
    RETURN said;
END $$;

-- A row's version in one word: at('10:00:05', 2, 'evt_1').
CREATE FUNCTION pg_temp.at(hour text, phase integer, event text) RETURNS jsonb
LANGUAGE sql AS $$ SELECT jsonb_build_object('src_created', '2026-01-02T' || hour || 'Z', 'src_phase', phase, 'src_event_id', event) $$;

CREATE FUNCTION pg_temp.claim_that(claim text, got text, want text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF got IS DISTINCT FROM want THEN
        RAISE EXCEPTION 'does not hold: %  (got %, want %)', claim, got, want;
    END IF;
    RAISE INFO 'holds: %', claim;
END $$;

CREATE FUNCTION pg_temp.claim(event_ids text[], account text DEFAULT '') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    places text;
    n integer := cardinality(event_ids);
BEGIN
    EXECUTE format('CREATE TEMP TABLE said AS EXECUTE claim(%L, %L, %L, %L, %L, %L, %L, %L, %L, %L, %L)', 'billing',
        array_fill(account, ARRAY[n]), array_fill(false, ARRAY[n]), event_ids,
        array_fill('2026-01-02T10:00:00Z'::timestamptz, ARRAY[n]), array_fill('stripe'::text, ARRAY[n]),
        array_fill('customer.updated'::text, ARRAY[n]), array_fill(NULL::text, ARRAY[n]),
        array_fill(now(), ARRAY[n]), array_fill('applied'::text, ARRAY[n]), array_fill('{"a":1}'::bytea, ARRAY[n]));
    SELECT coalesce(string_agg(place::text, ',' ORDER BY place), '') INTO places FROM said;
    DROP TABLE said;
    RETURN places;
END $$;

\set ON_ERROR_STOP 1

-- Inbox -----------------------------------------------------------------------------------------
SELECT pg_temp.claim_that('claim: new events are claimed, a doubled one once, by its first place',
    pg_temp.claim('{evt_c,evt_a,evt_b,evt_a}'), '1,2,3');
SELECT pg_temp.claim_that('claim: a duplicate is not claimed again, its new neighbour is',
    pg_temp.claim('{evt_a,evt_d}'), '2');
SELECT pg_temp.claim_that('claim: a batch of duplicates claims nothing', pg_temp.claim('{evt_a,evt_b,evt_c,evt_d}'), '');
SELECT pg_temp.claim_that('claim: every event has one row', (SELECT count(*)::text FROM sluice_inbox), '4');
EXECUTE verdict('billing', '{""}', '{false}', '{evt_b}', '{2026-01-02T10:00:00Z}', '{stale}');
SELECT pg_temp.claim_that('verdict: only the named event changes',
    (SELECT string_agg(event_id || ':' || verdict, ' ' ORDER BY event_id) FROM sluice_inbox),
    'evt_a:applied evt_b:stale evt_c:applied evt_d:applied');
SELECT pg_temp.claim_that('claim: the same id of another account is another event', pg_temp.claim('{evt_a}', 'acct_1'), '1');

-- An event of a week that has no partition waits in the default one and moves when the week is made.
INSERT INTO sluice_inbox (subsystem, livemode, event_id, occurred_at, source, type, received_at, verdict, body)
VALUES ('billing', true, 'evt_far', '2041-05-08 10:00Z', 'stripe', 'x', now(), 'applied', '{}'),
       ('billing', true, 'evt_none', '1970-01-01Z', 'stripe', 'x', now(), 'ignored', '\x00ff');
SELECT sluice_inbox_make_partitions('2041-05-01', '2041-05-20');
SELECT pg_temp.claim_that('partitions: a row of the default partition moves into its week when that is made',
    (SELECT string_agg(event_id || ' in ' || tableoid::regclass, ', ' ORDER BY event_id) FROM sluice_inbox WHERE livemode),
    'evt_far in sluice_inbox_p20410506, evt_none in sluice_inbox_default');
SELECT pg_temp.claim_that('partitions: making them twice makes none', sluice_inbox_make_partitions('2041-05-01', '2041-05-20')::text, '0');
SELECT sluice_inbox_make_partitions('2020-01-01', '2020-01-20');
INSERT INTO sluice_inbox (subsystem, livemode, event_id, occurred_at, source, type, received_at, verdict)
VALUES ('billing', true, 'evt_late', '2020-01-01Z', 'stripe', 'x', now(), 'applied');
SELECT pg_temp.claim_that('partitions: an old week is dropped, unless something came for it lately',
    sluice_inbox_drop_partitions()::text || ' ' || (to_regclass('sluice_inbox_p20191230') IS NOT NULL)::text, '2 true');
UPDATE sluice_inbox SET received_at = now() - interval '36 days' WHERE event_id IN ('evt_late', 'evt_none');
SELECT pg_temp.claim_that('partitions: later it goes too', sluice_inbox_drop_partitions()::text, '1');
SELECT pg_temp.claim_that('partitions: the default one is pruned by the time received', sluice_inbox_prune_default()::text, '1');
SELECT sluice_inbox_make_partitions(now() - interval '50 days', now() - interval '49 days');
SELECT 'sluice_inbox_p' || to_char(date_trunc('week', now() - interval '50 days', 'UTC') AT TIME ZONE 'UTC', 'YYYYMMDD') AS week \gset
EXECUTE inbox_maintain(60 * 86400000::bigint);
SELECT pg_temp.claim_that('partitions: a section may keep them longer', (to_regclass(:'week') IS NOT NULL)::text, 'true');
EXECUTE inbox_maintain(35 * 86400000::bigint);
SELECT pg_temp.claim_that('partitions: and no longer than that', (to_regclass(:'week') IS NULL)::text, 'true');
SELECT pg_temp.claim_that('body: shown as jsonb, U+0000 as U+FFFD, anything else as NULL',
    concat_ws(' ', sluice_json('{"a": 1}'), sluice_json(convert_to('{"a": "\u0000"}', 'UTF8'))->>'a', sluice_json('\xff') IS NULL,
              sluice_json('{') IS NULL, sluice_json(convert_to(repeat('[', 100000), 'UTF8')) IS NULL, sluice_json(convert_to('"\ud800"', 'UTF8')) IS NULL),
    '{"a": 1} ' || U&'\FFFD' || ' t t t t');

-- Twins -----------------------------------------------------------------------------------------
INSERT INTO sluice_inbox (subsystem, livemode, event_id, occurred_at, source, type, object, received_at, verdict, body)
SELECT 'billing', false, id, at::timestamptz, 'stripe', 'customer.updated', object, now(), verdict, convert_to(format('{"id":"%s"}', id), 'UTF8')
  FROM (VALUES ('tw_1', '2026-01-03 10:00Z', 'cus_tw', 'applied'), ('tw_2', '2026-01-03 10:00Z', 'cus_tw', 'stale'),
               ('tw_3', '2026-01-03 10:00Z', 'cus_tw', 'ignored'), ('tw_4', '2026-01-03 10:01Z', 'cus_tw', 'applied'),
               ('tw_5', '2026-01-03 10:00Z', 'cus_alone', 'applied')) v(id, at, object, verdict);
CREATE TEMP TABLE twins AS EXECUTE twins('{"","",""}', '{false,false,true}', '{cus_alone,cus_tw,cus_tw}',
    '{2026-01-03 10:00Z,2026-01-03 10:00Z,2026-01-03 10:00Z}', '{billing}');
SELECT pg_temp.claim_that('twins: of each object those of its second that were read, where there are several',
    (SELECT string_agg(concat_ws(':', place, event_id, body), ' ' ORDER BY place, event_id) FROM twins),
    '2:tw_1:{"id":"tw_1"} 2:tw_2:{"id":"tw_2"}');

-- Customers -------------------------------------------------------------------------------------
SELECT pg_temp.claim_that('customer: the first event makes the row, whatever it is',
    pg_temp.apply('customer_upsert', jsonb_build_array('{"id":"cus_1","email":"a@example.com","metadata":{"k":"v"},"balance":5}'::jsonb || pg_temp.at('10:00:00', 2, 'e1'))), 'cus_1');
SELECT pg_temp.claim_that('customer: an older one changes nothing',
    pg_temp.apply('customer_upsert', jsonb_build_array('{"id":"cus_1","email":"old@example.com"}'::jsonb || pg_temp.at('09:59:59', 2, 'e2'))), '');
SELECT pg_temp.claim_that('customer: one of the same second in an earlier phase changes nothing',
    pg_temp.apply('customer_upsert', jsonb_build_array('{"id":"cus_1","email":"old@example.com"}'::jsonb || pg_temp.at('10:00:00', 0, 'e3'))), '');
SELECT pg_temp.claim_that('customer: of two of one second and phase the stored one stays',
    pg_temp.apply('customer_upsert', jsonb_build_array('{"id":"cus_1","email":"b@example.com"}'::jsonb || pg_temp.at('10:00:00', 2, 'e4'))), '');
SELECT pg_temp.claim_that('customer: an older one is not made the last by saying so',
    pg_temp.apply('customer_upsert', jsonb_build_array('{"id":"cus_1","email":"old@example.com"}'::jsonb || pg_temp.at('09:59:59', 2, 'e2')), true), '');
SELECT pg_temp.claim_that('customer: the one that is known to be the last of its second wins',
    pg_temp.apply('customer_upsert', jsonb_build_array('{"id":"cus_1","email":"b@example.com"}'::jsonb || pg_temp.at('10:00:00', 2, 'e4')), true), 'cus_1');
SELECT pg_temp.claim_that('customer: the columns are those of the winner',
    (SELECT concat_ws(' ', email, balance, metadata, src_event_id) FROM billing_customer WHERE id = 'cus_1'), 'b@example.com e4');
SELECT pg_temp.claim_that('customer: a stub deletes and leaves the columns',
    pg_temp.apply('customer_delete', '[{"id":"cus_1","deleted_at":"2026-01-02T11:00:00Z","src_event_id":"e5"}]'), 'cus_1');
SELECT pg_temp.claim_that('customer: the same stub again is no news',
    pg_temp.apply('customer_delete', '[{"id":"cus_1","deleted_at":"2026-01-02T11:00:00Z","src_event_id":"e5"}]'), '');
SELECT pg_temp.claim_that('customer: an update from before the deletion is late and does not resurrect',
    pg_temp.apply('customer_upsert', jsonb_build_array('{"id":"cus_1","email":"c@example.com"}'::jsonb || pg_temp.at('10:30:00', 2, 'e6'))), 'cus_1(late)');
SELECT pg_temp.claim_that('customer: it stays deleted, with its last known columns',
    (SELECT concat_ws(' ', email, deleted_at) FROM billing_customer WHERE id = 'cus_1'), 'c@example.com 2026-01-02 11:00:00+00');
SELECT pg_temp.claim_that('customer: a full deletion is terminal, a later update loses',
    pg_temp.apply('customer_upsert', jsonb_build_array('{"id":"cus_2","email":"z@example.com","deleted_at":"2026-01-02T10:00:00Z"}'::jsonb || pg_temp.at('10:00:00', 3, 'e7')))
    || '/' || pg_temp.apply('customer_upsert', jsonb_build_array('{"id":"cus_2","email":"y@example.com"}'::jsonb || pg_temp.at('12:00:00', 2, 'e8'))), 'cus_2/');
SELECT pg_temp.claim_that('customer: accounts and modes are apart',
    pg_temp.apply('customer_upsert', jsonb_build_array('{"id":"cus_1","account":"acct_1"}'::jsonb || pg_temp.at('08:00:00', 2, 'e9'),
                                                       '{"id":"cus_1","livemode":true}'::jsonb || pg_temp.at('08:00:00', 2, 'e9'))), 'cus_1 cus_1');

-- Subscriptions and their items -----------------------------------------------------------------
SELECT pg_temp.claim_that('subscription: created',
    pg_temp.apply('subscription_upsert', jsonb_build_array('{"id":"sub_1","customer":"cus_3","status":"active"}'::jsonb || pg_temp.at('10:00:00', 2, 's1'))), 'sub_1');
SELECT pg_temp.claim_that('items: those of the winning version are written',
    pg_temp.apply('subscription_item_upsert', jsonb_build_array('{"id":"si_1","subscription":"sub_1","price":"p1"}'::jsonb || pg_temp.at('10:00:00', 2, 's1'),
                                                                '{"id":"si_2","subscription":"sub_1","price":"p2"}'::jsonb || pg_temp.at('10:00:00', 2, 's1'))), '2');
SELECT pg_temp.claim_that('subscription: an older event loses ...',
    pg_temp.apply('subscription_upsert', jsonb_build_array('{"id":"sub_1","status":"trialing"}'::jsonb || pg_temp.at('09:00:00', 2, 's0'))), '');
SELECT pg_temp.claim_that('items: ... and its items touch nothing ...',
    pg_temp.apply('subscription_item_upsert', jsonb_build_array('{"id":"si_1","subscription":"sub_1","price":"p0"}'::jsonb || pg_temp.at('09:00:00', 2, 's0'))), '0');
SELECT pg_temp.claim_that('items: ... nor are its missing ones marked',
    pg_temp.apply('subscription_item_missing', '[{"id":"sub_1","src_event_id":"s0"}]'), '0');
SELECT pg_temp.claim_that('subscription: a newer version lists one of two items and a new one',
    pg_temp.apply('subscription_upsert', jsonb_build_array('{"id":"sub_1","customer":"cus_3","status":"active"}'::jsonb || pg_temp.at('10:05:00', 2, 's2')))
    || ' ' || pg_temp.apply('subscription_item_upsert', jsonb_build_array('{"id":"si_1","subscription":"sub_1","price":"p1"}'::jsonb || pg_temp.at('10:05:00', 2, 's2'),
                                                                          '{"id":"si_3","subscription":"sub_1","price":"p3"}'::jsonb || pg_temp.at('10:05:00', 2, 's2')))
    || ' ' || pg_temp.apply('subscription_item_missing', '[{"id":"sub_1","src_event_id":"s2"}]'), 'sub_1 2 1');
SELECT pg_temp.claim_that('items: the missing one is marked, not removed',
    (SELECT string_agg(id || CASE WHEN deleted_at IS NULL THEN '' ELSE ' gone' END, ', ' ORDER BY id) FROM billing_subscription_item), 'si_1, si_2 gone, si_3');
SELECT pg_temp.claim_that('items: with has_more nothing is marked, because the statement is not given the event',
    pg_temp.apply('subscription_upsert', jsonb_build_array('{"id":"sub_1","customer":"cus_3","status":"active"}'::jsonb || pg_temp.at('10:06:00', 2, 's3')))
    || ' ' || pg_temp.apply('subscription_item_upsert', jsonb_build_array('{"id":"si_2","subscription":"sub_1"}'::jsonb || pg_temp.at('10:06:00', 2, 's3'))), 'sub_1 1');
SELECT pg_temp.claim_that('items: the unmentioned stay, one that is back is no longer deleted',
    (SELECT count(*)::text FROM billing_subscription_item WHERE deleted_at IS NULL), '3');
SELECT pg_temp.claim_that('subscription: canceled in the same second as an update wins in either order (1)',
    pg_temp.apply('subscription_upsert', jsonb_build_array('{"id":"sub_1","customer":"cus_3","status":"canceled","ended_at":"2026-01-02T10:07:00Z","deleted_at":"2026-01-02T10:07:00Z"}'::jsonb || pg_temp.at('10:07:00', 3, 's5')))
    || '/' || pg_temp.apply('subscription_upsert', jsonb_build_array('{"id":"sub_1","customer":"cus_3","status":"active"}'::jsonb || pg_temp.at('10:07:00', 2, 's4'))), 'sub_1/');
SELECT pg_temp.claim_that('subscription: a later update that is not terminal does not reopen it',
    pg_temp.apply('subscription_upsert', jsonb_build_array('{"id":"sub_1","status":"active"}'::jsonb || pg_temp.at('10:09:00', 2, 's6'))), '');
SELECT pg_temp.claim_that('subscription: metadata of a canceled one may still change',
    pg_temp.apply('subscription_upsert', jsonb_build_array('{"id":"sub_1","customer":"cus_3","status":"canceled","metadata":{"a":"b"},"deleted_at":"2026-01-02T10:07:00Z"}'::jsonb || pg_temp.at('10:10:00', 3, 's7'))), 'sub_1');
SELECT pg_temp.claim_that('subscription: within a second it does not go back to incomplete',
    pg_temp.apply('subscription_upsert', jsonb_build_array('{"id":"sub_2","status":"active"}'::jsonb || pg_temp.at('10:00:00', 2, 't1')))
    || '/' || pg_temp.apply('subscription_upsert', jsonb_build_array('{"id":"sub_2","status":"incomplete"}'::jsonb || pg_temp.at('10:00:00', 2, 't2'))), 'sub_2/');

-- Invoices and their lines ----------------------------------------------------------------------
SELECT pg_temp.claim_that('invoice: within a second the further status wins, in either order (1)',
    pg_temp.apply('invoice_upsert', jsonb_build_array('{"id":"in_1","status":"paid","amount_paid":100,"attempt_count":1}'::jsonb || pg_temp.at('10:00:00', 2, 'i2')))
    || '/' || pg_temp.apply('invoice_upsert', jsonb_build_array('{"id":"in_1","status":"open","amount_paid":0}'::jsonb || pg_temp.at('10:00:00', 2, 'i1'))), 'in_1/');
SELECT pg_temp.claim_that('invoice: within a second the further status wins, in either order (2)',
    pg_temp.apply('invoice_upsert', jsonb_build_array('{"id":"in_2","status":"open","amount_paid":0}'::jsonb || pg_temp.at('10:00:00', 2, 'i3')))
    || '/' || pg_temp.apply('invoice_upsert', jsonb_build_array('{"id":"in_2","status":"paid","amount_paid":100}'::jsonb || pg_temp.at('10:00:00', 2, 'i4'))), 'in_2/in_2');
SELECT pg_temp.claim_that('invoice: of two attempts within a second the later counts',
    pg_temp.apply('invoice_upsert', jsonb_build_array('{"id":"in_3","status":"open","attempt_count":2}'::jsonb || pg_temp.at('10:00:00', 2, 'i5')))
    || '/' || pg_temp.apply('invoice_upsert', jsonb_build_array('{"id":"in_3","status":"open","attempt_count":1}'::jsonb || pg_temp.at('10:00:00', 2, 'i6'))), 'in_3/');
SELECT pg_temp.claim_that('invoice: lines follow the winner, missing ones are marked',
    pg_temp.apply('invoice_line_upsert', jsonb_build_array('{"id":"il_1","invoice":"in_1"}'::jsonb || pg_temp.at('10:00:00', 2, 'i2'), '{"id":"il_2","invoice":"in_1"}'::jsonb || pg_temp.at('10:00:00', 2, 'i2')))
    || ' ' || pg_temp.apply('invoice_upsert', jsonb_build_array('{"id":"in_1","status":"paid"}'::jsonb || pg_temp.at('10:01:00', 2, 'i7')))
    || ' ' || pg_temp.apply('invoice_line_upsert', jsonb_build_array('{"id":"il_2","invoice":"in_1"}'::jsonb || pg_temp.at('10:01:00', 2, 'i7')))
    || ' ' || pg_temp.apply('invoice_line_missing', '[{"id":"in_1","src_event_id":"i7"}]'), '2 in_1 1 1');
SELECT pg_temp.claim_that('invoice: a deleted draft stays deleted',
    pg_temp.apply('invoice_delete', '[{"id":"in_9","deleted_at":"2026-01-02T10:00:00Z","src_event_id":"i8"}]')
    || ' ' || pg_temp.apply('invoice_upsert', jsonb_build_array('{"id":"in_9","status":"draft"}'::jsonb || pg_temp.at('09:00:00', 0, 'i9'))), 'in_9 in_9(late)');
SELECT pg_temp.claim_that('invoice: what came late fills the row in',
    (SELECT status || ' ' || (deleted_at IS NOT NULL) FROM billing_invoice WHERE id = 'in_9'), 'draft true');
SELECT pg_temp.claim_that('invoice payment: paid is not undone by open of the same second',
    pg_temp.apply('invoice_payment_upsert', jsonb_build_array('{"id":"inpay_1","status":"paid","amount_paid":7}'::jsonb || pg_temp.at('10:00:00', 2, 'p1')))
    || '/' || pg_temp.apply('invoice_payment_upsert', jsonb_build_array('{"id":"inpay_1","status":"open"}'::jsonb || pg_temp.at('10:00:00', 2, 'p2'))), 'inpay_1/');

-- Access ----------------------------------------------------------------------------------------
INSERT INTO billing_customer (livemode, id, src_created, src_phase, src_event_id, deleted_at)
SELECT true, 'cus_' || n, now(), 0, 'x', CASE WHEN n = 'gone' THEN now() END FROM unnest('{none,gone,trial}'::text[]) n;
INSERT INTO billing_subscription (livemode, id, customer, status, current_period_start, src_created, src_phase, src_event_id)
VALUES (true, 'a1', 'cus_trial', 'canceled', now(), now(), 3, 'x'), (true, 'a2', 'cus_trial', 'trialing', now(), now(), 2, 'x'),
       (true, 'a3', 'cus_gone', 'active', now(), now(), 2, 'x'), (true, 'a4', 'cus_due', 'past_due', now() - interval '3 days', now(), 2, 'x'),
       (true, 'a5', 'cus_overdue', 'past_due', now() - interval '8 days', now(), 2, 'x'), (true, 'a6', 'cus_paused', 'paused', now(), now(), 2, 'x');
SELECT pg_temp.claim_that('access: active or trialing, past due within the grace, and never for a deleted customer',
    (SELECT string_agg(customer || '=' || has_access, ' ' ORDER BY customer) FROM billing_access WHERE livemode),
    'cus_1=false cus_due=true cus_gone=false cus_none=false cus_overdue=false cus_paused=false cus_trial=true');
INSERT INTO sluice_control (subsystem, name, value) VALUES ('billing', 'grace_days', '10');
SELECT pg_temp.claim_that('access: the grace is a control', (SELECT has_access::text FROM billing_access WHERE customer = 'cus_overdue'), 'true');

-- Dead letters ----------------------------------------------------------------------------------
EXECUTE dead_letter('{billing,billing}', '{stripe,NULL}', '{"",NULL}', '{false,NULL}', '{evt_x,NULL}', '{t,NULL}', '{NULL,NULL}', '{NULL,NULL}', '{NULL,NULL}',
    '{permanent,undecodable}', '{permanent,decode}', '{22003,""}', '{first,x}', '{f,f}', '{1,1}', '{k,k}', '{NULL,NULL}',
    ARRAY['{"a":1}', NULL]::bytea[], ARRAY['\x01', '\x02']::bytea[], ARRAY['\xaa', '\xbb']::bytea[], '{NULL,NULL}', '{}');
EXECUTE dead_letter('{billing,billing}', '{stripe,NULL}', '{"",NULL}', '{false,NULL}', '{evt_x,NULL}', '{t,NULL}', '{NULL,NULL}', '{NULL,NULL}', '{NULL,NULL}',
    '{permanent,undecodable}', '{permanent,decode}', '{22003,""}', '{second,x}', '{f,f}', '{6,1}', '{k,k}', '{NULL,NULL}',
    ARRAY['{"a":2}', NULL]::bytea[], ARRAY['\x01', '\x02']::bytea[], ARRAY['\xaa', '\xbb']::bytea[], '{NULL,NULL}', '{other,billing}');
SELECT pg_temp.claim_that('dead letter: one open letter per event, or per bytes without an id; the last failure is shown',
    (SELECT string_agg(concat_ws(':', event_id, error, attempts, payload), ' ' ORDER BY id) FROM sluice_dead_letter), 'evt_x:second:6:{"a": 2} x:1');
SELECT pg_temp.claim_that('dead letter: who has an on-dead gets a notice with the letter, and only then',
    (SELECT string_agg(concat_ws(':', event_id, round, told_at IS NULL), ' ' ORDER BY id)
       FROM sluice_dead_notice JOIN sluice_dead_letter ON id = dead_letter_id), 'evt_x:1:t 1:t');
EXECUTE attempt('{billing}', '{evt_x}', '{t}', '{1}', '{2026-01-02T10:00:00Z}', '{item}', '{23503}', '{no parent}', '{NULL}');
SELECT pg_temp.claim_that('attempt: noted', (SELECT count(*)::text FROM sluice_attempt WHERE event_id = 'evt_x'), '1');

-- Keeping.
INSERT INTO sluice_dead_letter (subsystem, event_id, reason, error_class, status, envelope, body_sha256, updated_at)
SELECT s, 'evt_keep_' || n, 'permanent', 'permanent', CASE WHEN n <= 3 THEN 'open' ELSE 'discarded' END, '', sha256(n::text::bytea), now() - n * interval '1 day'
  FROM unnest('{short,long,nameless}'::text[]) s, generate_series(1, 700) n;
EXECUTE history_prune('{short,long}', '{5,0}', '{0,86400000000}');
SELECT pg_temp.claim_that('keeping: the newest so many, or those younger than an age, or 500 and 90 days when nobody says; open ones always',
    (SELECT string_agg(concat_ws(':', subsystem, status, n), ' ' ORDER BY subsystem, status)
       FROM (SELECT subsystem, status, count(*) AS n FROM sluice_dead_letter WHERE event_id LIKE 'evt_keep_%' GROUP BY 1, 2) AS kept),
    'long:discarded:697 long:open:3 nameless:discarded:500 nameless:open:3 short:discarded:5 short:open:3');
INSERT INTO sluice_attempt (subsystem, event_id, type, attempt, at, class) VALUES
    ('billing', 'evt_old', 't', 1, now() - interval '91 days', 'item'), ('billing', 'evt_young', 't', 1, now() - interval '89 days', 'item');
EXECUTE history_prune('{}', '{}', '{}');
SELECT pg_temp.claim_that('keeping: attempts for 90 days', (SELECT string_agg(event_id, ' ') FROM sluice_attempt WHERE event_id IN ('evt_old', 'evt_young')), 'evt_young');
