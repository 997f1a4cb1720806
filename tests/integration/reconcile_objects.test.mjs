// reconcile_objects - the drift between Stripe's objects and the tables is found, exactly, repaired through the broker, and is then none.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { FakeStripe } from '../support/fake_stripe.mjs';

const START = Math.floor(Date.now() / 1000) - 5 * 3600;
let stack;
let stripe;
let objects;

function sluice(args) {
  const env = { ...stack.environment, STRIPE_API_BASE: stripe.url, STRIPE_RESTRICTED_KEY: stripe.key };
  return new Promise((resolve) => {
    execFile(`${process.env.SLUICE_BIN}/sluice`, ['reconcile', 'stripe', '--objects', '--limit', '1000', '-o', 'json', ...args], { env, timeout: 120000, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      resolve({ status: error ? (error.code ?? error.signal) : 0, rows: stdout ? JSON.parse(stdout) : undefined, stderr }));
  });
}

const plural = { customer: 'customers', subscription: 'subscriptions', invoice: 'invoices' };
function make(kind, n) {
  const common = { id: `${kind}_${n}`, object: kind, created: START + Math.floor(n / 150), livemode: false, metadata: { n: String(n) } }; // many share a second, across pages
  if (kind === 'customer') return { ...common, email: `c${n}@example.com`, name: null, balance: 0, delinquent: false };
  if (kind === 'subscription') return { ...common, customer: `customer_${n}`, status: n % 10 ? 'active' : 'canceled', cancel_at_period_end: false, canceled_at: n % 10 ? null : START, ended_at: n % 10 ? null : START, items: { object: 'list', has_more: false, data: [{ id: `si_${n}`, object: 'subscription_item', quantity: 1, metadata: {}, price: { id: 'price_1', object: 'price', product: 'prod_1', currency: 'usd', unit_amount: 5 } }] } };
  return { ...common, customer: `customer_${n}`, status: 'open', currency: 'usd', amount_due: 500, amount_paid: 0, due_date: START, lines: { object: 'list', has_more: true, data: [] } };
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
  change('invoice', 8, { status: 'paid', amount_paid: 500 });
});
after(async () => {
  await stripe?.stop();
  await stack?.stop();
});

const expected = [
  ['customer', 'customer_3', 'differs', 'email, metadata'], ['customer', 'customer_7', 'missing', ''], ['customer', 'customer_extra', 'extra', ''],
  ['invoice', 'invoice_349', 'missing', ''], ['invoice', 'invoice_8', 'differs', 'amount_paid, status'], ['invoice', 'invoice_gone', 'extra', ''],
  ['subscription', 'subscription_11', 'missing', ''], ['subscription', 'subscription_5', 'differs', 'status'], ['subscription', 'subscription_6', 'differs', 'items'],
];
const sorted = (rows) => rows.map((row) => [row.kind, row.object, row.state, row.columns ?? '']).sort((a, b) => a.join() < b.join() ? -1 : 1);

test('a look finds exactly what drifted, says in which columns, and changes nothing', async () => {
  const { status, rows, stderr } = await sluice([]);
  assert.deepEqual(sorted(rows), expected, stderr);
  assert.equal(status, 1);
  assert.match(stderr, /1050 objects at Stripe compared: 3 missing here, 4 differ, 2 here that Stripe does not list, 0 published/);
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
  assert.equal(await stack.value("SELECT count(*) FROM billing_customer WHERE id = 'customer_extra' AND deleted_at IS NOT NULL"), '1');
  assert.equal(await stack.value("SELECT count(*) FROM billing_invoice WHERE id = 'invoice_gone' AND deleted_at IS NOT NULL"), '1');
});

test('--since leaves older objects, and rows, alone', async () => {
  await stack.query("DELETE FROM billing_customer WHERE id IN ('customer_1', 'customer_349')");
  const { status, rows } = await sluice(['--since', new Date((START + 2) * 1000).toISOString().replace('.000', '')]);
  assert.deepEqual([status, rows.map((row) => row.object)], [1, ['customer_349']]);
});
