// reconcile_objects - the drift between Stripe's objects and the tables is found, exactly, repaired through the broker, and is then none.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { FakeStripe } from '../support/fake_stripe.mjs';

const START = Math.floor(Date.now() / 1000) - 5 * 3600;
let stack;
let stripe;
let objects;

async function sluice(args) {
  const asked = ['reconcile', 'stripe', '--objects', '--limit', '1000', '-o', 'json', ...args];
  const { status, stdout, stderr } = await stack.tool(asked, { STRIPE_API_BASE: stripe.url, STRIPE_RESTRICTED_KEY: stripe.key });
  return { status, rows: stdout ? JSON.parse(stdout) : undefined, stderr };
}

const plural = { customer: 'customers', subscription: 'subscriptions', invoice: 'invoices' };
function make(kind, n) {
  const common = { id: `${kind}_${n}`, object: kind, created: START + Math.floor(n / 150), livemode: false, metadata: { n: String(n) } }; // many share a second, across pages
  if (kind === 'customer') return { ...common, email: `c${n}@example.com`, name: null, balance: 0, delinquent: false };
  if (kind === 'subscription') return { ...common, customer: `customer_${n}`, status: n % 10 ? 'active' : 'canceled', cancel_at_period_end: false, canceled_at: n % 10 ? null : START, ended_at: n % 10 ? null : START, items: { object: 'list', has_more: false, data: [{ id: `si_${n}`, object: 'subscription_item', quantity: 1, metadata: {}, price: { id: 'price_1', object: 'price', product: 'prod_1', currency: 'usd', unit_amount: 5 } }] } };
  return { ...common, customer: `customer_${n}`, status: 'open', currency: 'usd', amount_due: 500, amount_paid: 0, due_date: START, lines: { object: 'list', has_more: false, data: n === 13 ? [{ id: 'il_13', object: 'line_item', amount: 5, quantity: 1, metadata: {} }] : [] } };
}

before(async () => {
  stack = await Stack.start('reconcile_objects');
  stripe = await FakeStripe.start();
  objects = Object.keys(plural).flatMap((kind) => Array.from({ length: 350 }, (_, n) => make(kind, n)));
  for (const object of objects) stripe.put(plural[object.object], structuredClone(object));
  const type = { customer: 'customer.updated', subscription: 'customer.subscription.updated', invoice: 'invoice.updated' };
  const extra = { ...make('customer', 9), id: 'customer_extra' };
  const gone = { ...make('invoice', 9), id: 'invoice_gone' };
  const missing = new Set(['customer_7', 'subscription_11', 'invoice_349']);
  const sender = new Sender(stack, { connections: 32 });
  const answers = await sender.sendAll([...objects.filter((object) => !missing.has(object.id)), extra, gone].map((object) => ({ id: `evt_${object.id}`, object: 'event', type: type[object.object], created: START + 100, livemode: false, data: { object } })));
  sender.close();
  assert.deepEqual([...answers.values()].filter((status) => status !== 200), []);
  await until('what was sent is applied', async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === String(objects.length + 2 - missing.size), 60000);
  const change = (kind, n, what) => Object.assign(stripe.objects.get(`/${plural[kind]}/${kind}_${n}`), what);
  change('customer', 3, { email: 'new@example.com', metadata: { n: '4' } });
  change('subscription', 5, { status: 'past_due' });
  change('subscription', 6, { items: { object: 'list', has_more: false, data: [{ ...make('subscription', 6).items.data[0], quantity: 9 }] } });
  change('invoice', 13, { lines: { object: 'list', has_more: false, data: [{ id: 'il_13', object: 'line_item', amount: 6, quantity: 1, metadata: {} }] } });
  change('invoice', 8, { status: 'paid', amount_paid: 500 });
  // Of 130 lines only the first ten are listed: one that is missing there is seen, and all of them come.
  stripe.listMax = 10;
  change('invoice', 12, { lines: { object: 'list', has_more: false, data: Array.from({ length: 130 }, (_, n) => ({ id: `il_long_${n}`, object: 'line_item', amount: n, quantity: 1, metadata: {} })) } });
});
after(async () => {
  await stripe?.stop();
  await stack?.stop();
});

const expected = [
  ['customer', 'customer_3', 'differs', 'email, metadata'], ['customer', 'customer_7', 'missing', ''], ['customer', 'customer_extra', 'extra', ''],
  ['invoice', 'invoice_12', 'differs', 'lines'], ['invoice', 'invoice_13', 'differs', 'lines'], ['invoice', 'invoice_349', 'missing', ''], ['invoice', 'invoice_8', 'differs', 'amount_paid, status'], ['invoice', 'invoice_gone', 'extra', ''],
  ['subscription', 'subscription_11', 'missing', ''], ['subscription', 'subscription_5', 'differs', 'status'], ['subscription', 'subscription_6', 'differs', 'items'],
];
const sorted = (rows) => rows.map((row) => [row.kind, row.object, row.state, row.columns ?? '']).sort((a, b) => a.join() < b.join() ? -1 : 1);

test('a look finds exactly what drifted, says in which columns, and changes nothing', async () => {
  const { status, rows, stderr } = await sluice([]);
  assert.deepEqual(sorted(rows), expected, stderr);
  assert.equal(status, 1);
  assert.match(stderr, /1050 objects at Stripe compared: 3 missing here, 6 differ, 2 here that Stripe does not list, 0 published/);
  assert.ok(stripe.requests.every((request) => request.method === 'GET'));
  assert.equal(await stack.value("SELECT count(*) FROM sluice_inbox WHERE type LIKE 'sluice.%'"), '0');
});

test('--repair brings each of them into the tables through the broker, and then nothing differs', async () => {
  const { status, rows, stderr } = await sluice(['--repair']);
  assert.deepEqual([status, rows.length, new Set(rows.map((row) => row.state))], [0, expected.length, new Set(['published'])], stderr);
  await until('they are applied', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE type LIKE 'sluice.%' AND verdict = 'applied'")) === String(expected.length));
  const again = await sluice([]);
  assert.deepEqual([again.status, again.rows], [0, []], again.stderr);
  assert.deepEqual(await stack.query("SELECT status, amount_paid FROM billing_invoice WHERE id = 'invoice_8'"), [['paid', '500']]);
  assert.deepEqual(await stack.query("SELECT count(*), sum(amount), count(deleted_at) FROM billing_invoice_line WHERE invoice = 'invoice_12'"), [['130', String(129 * 65), '0']]);
  assert.deepEqual(await stack.query("SELECT id, amount FROM billing_invoice_line WHERE invoice = 'invoice_13' AND deleted_at IS NULL"), [['il_13', '6']]);
  assert.equal(await stack.value("SELECT count(*) FROM billing_customer WHERE id = 'customer_extra' AND deleted_at IS NOT NULL"), '1');
  assert.equal(await stack.value("SELECT count(*) FROM billing_invoice WHERE id = 'invoice_gone' AND deleted_at IS NOT NULL"), '1');
});

test('--metrics leaves the figures', async () => {
  const file = path.join(stack.dir, 'drift.prom');
  assert.equal((await sluice(['--metrics', file])).status, 0);
  const text = readFileSync(file, 'utf8');
  assert.match(text, /^sluice_drift_compared_objects\{account=""\} 1050$/m);
  assert.match(text, /^sluice_drift_differing_objects\{account=""\} 0$/m);
});

test('--since leaves older objects, and rows, alone', async () => {
  await stack.query("DELETE FROM billing_customer WHERE id IN ('customer_1', 'customer_349')");
  const { status, rows } = await sluice(['--since', new Date((START + 2) * 1000).toISOString().replace('.000', '')]);
  assert.deepEqual([status, rows.map((row) => row.object)], [1, ['customer_349']]);
});
