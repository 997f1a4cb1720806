// fates - what becomes of every event type that Stripe's own package knows, and where every field of the objects that billing keeps ends.
//
// A type is applied, or archived as it was received; none is refused, none set aside. Each object is told with every field set, so that a column that nothing fills is seen.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const root = path.resolve(import.meta.dirname, '../..');
const AT = Math.floor(Date.now() / 1000) - 3600;

const typesIn = (file) => [...readFileSync(path.join(root, 'consumer/billing', file), 'utf8').matchAll(/^BILLING_TYPE\("([^"]+)", +([A-Z_]+)/gm)].map(([, type, table]) => [type, table.toLowerCase()]);
const applied = new Map([...typesIn('billing_types.def'), ...typesIn('billing_connect.def')]);

// Every snapshot type that the package can name.
function officialTypes() {
  const text = readFileSync(path.join(import.meta.dirname, 'node_modules/stripe/types/EventTypes.d.ts'), 'utf8');
  const types = new Set([...text.matchAll(/type: '([a-z_0-9.]+)'/g)].map(([, type]) => type));
  return [...types].filter((type) => type.includes('.') && !/^v[12]\./.test(type)).sort();
}

const list = (data) => ({ object: 'list', has_more: false, data });
const price = { id: 'price_1', object: 'price', product: 'prod_1', currency: 'eur', unit_amount: 100, unit_amount_decimal: '100.5', recurring: { interval: 'month', interval_count: 2, usage_type: 'metered', meter: 'mtr_1' } };
const item = { id: 'si_full', object: 'subscription_item', created: AT, subscription: 'sub_full', price, quantity: 3, current_period_start: AT, current_period_end: AT + 9, billed_until: AT + 5, discounts: ['di_1'], tax_rates: [{ id: 'txr_1' }], metadata: { a: '1' } };
const line = { id: 'il_full', object: 'line_item', invoice: 'in_full', amount: 100, subtotal: 90, currency: 'eur', description: 'one', quantity: 1, quantity_decimal: '1.5', period: { start: AT, end: AT + 9 }, metadata: { a: '1' },
  discount_amounts: [{ amount: 1, discount: 'di_1' }], taxes: [{ amount: 1 }], pricing: { type: 'price_details', price_details: { price: 'price_1', product: 'prod_1' }, unit_amount_decimal: '100.5' },
  parent: { type: 'subscription_item_details', subscription_item_details: { subscription: 'sub_full', subscription_item: 'si_full', invoice_item: 'ii_1', proration: true } } };
const full = {
  customer: { id: 'cus_full', object: 'customer', created: AT, livemode: false, email: 'a@example.com', name: 'A', phone: '1', description: 'd', address: { city: 'x' }, shipping: { name: 'x' }, balance: -5, currency: 'eur', delinquent: true,
    default_source: 'card_1', invoice_settings: { default_payment_method: 'pm_1' }, discount: { id: 'di_1' }, tax_exempt: 'none', tax_ids: list([{ id: 'txi_1' }]), preferred_locales: ['de'], invoice_prefix: 'A', metadata: { a: '1' }, test_clock: 'clock_1' },
  subscription: { id: 'sub_full', object: 'subscription', created: AT, livemode: false, customer: 'cus_full', status: 'active', collection_method: 'send_invoice', currency: 'eur', description: 'd', start_date: AT, billing_cycle_anchor: AT, cancel_at: AT + 9,
    cancel_at_period_end: true, canceled_at: AT, cancellation_details: { reason: 'x' }, ended_at: AT + 9, trial_start: AT, trial_end: AT + 1, trial_settings: { end_behavior: {} }, pause_collection: { behavior: 'void' }, pending_update: { expires_at: 1 }, schedule: 'sub_sched_1',
    latest_invoice: 'in_full', default_payment_method: 'pm_1', default_source: 'card_1', days_until_due: 7, discounts: ['di_1'], billing_mode: { type: 'flexible' }, on_behalf_of: 'acct_1', transfer_data: { destination: 'acct_1' }, application_fee_percent: 2.5,
    test_clock: 'clock_1', metadata: { a: '1' }, items: list([item]) },
  invoice: { id: 'in_full', object: 'invoice', created: AT, livemode: false, customer: 'cus_full', number: 'A-1', status: 'paid', billing_reason: 'manual', collection_method: 'send_invoice', currency: 'eur', description: 'd', amount_due: 100, amount_paid: 90, amount_remaining: 10,
    amount_overpaid: 1, amount_paid_off_stripe: 2, subtotal: 90, total: 100, total_taxes: [{ amount: 1 }], total_discount_amounts: [{ amount: 1 }], attempt_count: 2, attempted: true, next_payment_attempt: AT + 1, auto_advance: true, automatically_finalizes_at: AT + 2,
    due_date: AT + 3, effective_at: AT + 4, period_start: AT, period_end: AT + 5, status_transitions: { finalized_at: AT, paid_at: AT + 1, marked_uncollectible_at: AT + 2, voided_at: AT + 3 }, hosted_invoice_url: 'https://x', invoice_pdf: 'https://y',
    default_payment_method: 'pm_1', payment_intent: 'pi_1', charge: 'ch_1', last_finalization_error: { code: 'x' }, from_invoice: { action: 'revision' }, latest_revision: 'in_2', discounts: ['di_1'], test_clock: 'clock_1', metadata: { a: '1' },
    parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_full' } }, lines: list([line]) },
  invoice_payment: { id: 'inpay_full', object: 'invoice_payment', created: AT, livemode: false, invoice: 'in_full', amount_requested: 100, amount_paid: 90, currency: 'eur', status: 'paid', is_default: true, status_transitions: { paid_at: AT, canceled_at: AT + 1 },
    payment: { type: 'payment_intent', payment_intent: 'pi_1', charge: 'ch_1', payment_record: 'prec_1' } },
};

// What each table must have.
const columns = {
  billing_customer: 'id account livemode email name phone description address shipping balance currency delinquent default_source default_payment_method discount tax_exempt tax_ids preferred_locales invoice_prefix metadata test_clock created deleted_at',
  billing_subscription: 'id account livemode customer status collection_method currency start_date created billing_cycle_anchor cancel_at cancel_at_period_end canceled_at cancellation_details ended_at trial_start trial_end trial_settings pause_collection pending_update schedule latest_invoice default_payment_method days_until_due discounts billing_mode on_behalf_of transfer_data application_fee_percent test_clock metadata current_period_start current_period_end deleted_at',
  billing_subscription_item: 'id account livemode subscription price product unit_amount unit_amount_decimal currency recurring_interval recurring_interval_count usage_type meter quantity current_period_start current_period_end billed_until discounts tax_rates metadata position deleted_at',
  billing_invoice: 'id account livemode customer subscription parent_type number status billing_reason collection_method currency amount_due amount_paid amount_remaining amount_overpaid subtotal total total_taxes total_discount_amounts attempt_count attempted next_payment_attempt auto_advance automatically_finalizes_at due_date effective_at period_start period_end finalized_at paid_at marked_uncollectible_at voided_at hosted_invoice_url invoice_pdf last_finalization_error from_invoice latest_revision discounts metadata test_clock created deleted_at',
  billing_invoice_line: 'id account livemode invoice parent_type subscription subscription_item invoice_item proration price product amount subtotal quantity quantity_decimal unit_amount_decimal period_start period_end discount_amounts taxes metadata deleted_at',
  billing_invoice_payment: 'id account livemode invoice payment_type payment_intent charge payment_record amount_requested amount_paid currency status is_default paid_at canceled_at created deleted_at',
  billing_account: 'id account livemode application deauthorized_at',
  billing_event: 'account livemode id type api_version created object_type object request_id idempotency_key received_at verdict',
};

let stack;
let sender;
const types = officialTypes();

before(async () => {
  stack = await Stack.start('fates');
  sender = new Sender(stack, { connections: 16 });
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const event = (id, type, object, more = {}) => ({ id, object: 'event', api_version: '2026-09-30.endive', type, created: AT, livemode: false, request: { id: `req_${id}`, idempotency_key: `key_${id}` }, data: { object }, ...more });
const inInbox = (count) => until(`${count} events are in the inbox`, async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === String(count), 60000);

test('what billing applies is what Stripe has, and all of it about customers, subscriptions, invoices and their payments', () => {
  assert.ok(types.length >= 200, `${types.length} types found in the package`);
  assert.deepEqual([...applied.keys()].filter((type) => !types.includes(type)), []);
  const ours = types.filter((type) => /^(customer|customer\.subscription|invoice|invoice_payment)\.[a-z_]+$/.test(type));
  assert.deepEqual(ours.filter((type) => !applied.has(type)), ['invoice.upcoming']); // a preview: it has no id
});

test('every type is answered 200, applied or archived with its bytes', async () => {
  const kind = { customer: 'customer', subscription: 'subscription', invoice: 'invoice', invoice_payment: 'invoice_payment', account: 'application' };
  const sent = types.map((type, n) => {
    const table = applied.get(type);
    const id = table ? `x_${n}` : type === 'invoice.upcoming' ? undefined : `o_${n}`;
    return event(`evt_${n}`, type, { id, object: kind[table] ?? type.split('.').slice(0, -1).join('.'), created: AT, metadata: {} }, table === 'account' ? { account: `acct_${n}` } : {});
  });
  const answers = await sender.sendAll(sent);
  assert.deepEqual([...answers].filter(([, status]) => status !== 200), []);
  await inInbox(sent.length);
  const fates = new Map((await stack.query('SELECT type, verdict, octet_length(body) > 0 FROM sluice_inbox')).map(([type, ...fate]) => [type, fate]));
  const wrong = types.filter((type) => JSON.stringify(fates.get(type)) !== JSON.stringify([applied.has(type) ? 'applied' : 'ignored', 't']));
  assert.deepEqual(wrong.map((type) => [type, fates.get(type)]), []);
  assert.equal(await stack.value('SELECT count(*) FROM sluice_dead_letter'), '0');
});

test('every table has the columns that a mirror of billing needs', async () => {
  for (const [table, names] of Object.entries(columns)) {
    const known = (await stack.query(`SELECT column_name FROM information_schema.columns WHERE table_name = '${table}' AND table_schema = current_schema()`)).flat();
    assert.deepEqual(names.split(' ').filter((name) => !known.includes(name)), [], table);
  }
});

test('every column is filled from an object that has every field', async () => {
  const count = Number(await stack.value('SELECT count(*) FROM sluice_inbox'));
  await sender.sendAll([event('evt_full_1', 'customer.updated', full.customer), event('evt_full_2', 'customer.subscription.updated', full.subscription), event('evt_full_3', 'invoice.updated', full.invoice),
    event('evt_full_4', 'invoice_payment.paid', full.invoice_payment), event('evt_full_5', 'account.application.deauthorized', { id: 'ca_1', object: 'application' }, { account: 'acct_full' })]);
  await inInbox(count + 5);
  const where = { billing_account: "account = 'acct_full'", billing_event: "id = 'evt_full_2'" };
  for (const table of Object.keys(columns)) {
    const [rows] = await stack.query(`SELECT to_jsonb(t) FROM ${table} t WHERE ${where[table] ?? "id LIKE '%\\_full'"}`);
    const kept = JSON.parse(rows[0]);
    const empty = Object.keys(kept).filter((name) => kept[name] === null && name !== 'deleted_at');
    assert.deepEqual(empty, [], table);
  }
  assert.deepEqual(await stack.query("SELECT api_version, object_type, object, request_id, idempotency_key FROM billing_event WHERE id = 'evt_full_2'"), [['2026-09-30.endive', 'subscription', 'sub_full', 'req_evt_full_2', 'key_evt_full_2']]);
});
