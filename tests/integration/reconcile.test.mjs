// reconcile - of 5,000 events that Stripe lists, the 37 that never arrived are found, exactly, and published; no other is.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { randomFrom, shuffled } from './lib/histories.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { FakeStripe } from '../support/fake_stripe.mjs';

const EVENTS = 5000;
const REMOVED = 37;
const START = Math.floor(Date.now() / 1000) - 5 * 3600;
const random = randomFrom(37);

let stack;
let stripe;
const events = Array.from({ length: EVENTS }, (_, n) => ({
  id: `evt_r${n}`, object: 'event', api_version: '2025-08-27.basil', type: n % 9 === 0 ? 'payout.paid' : 'customer.created', livemode: false,
  created: START + Math.floor(n / 7), // same-second pages
  data: { object: { id: `cus_r${n}`, object: n % 9 === 0 ? 'payout' : 'customer', created: START, email: `r${n}@example.com`, livemode: false, metadata: {} } },
}));
const removed = new Set(shuffled(events, random).slice(0, REMOVED).map((event) => event.id));

const sluice = (args, environment) => stack.tool(['reconcile', 'stripe', ...args], { STRIPE_API_BASE: stripe.url, STRIPE_RESTRICTED_KEY: stripe.key, ...environment });

const applied = () => stack.value('SELECT count(*) FROM sluice_inbox');

before(async () => {
  stack = await Stack.start('reconcile');
  stripe = await FakeStripe.start();
  stripe.addEvents(events.map((event) => ({ ...event, delivered: !removed.has(event.id) })));
  const sender = new Sender(stack, { connections: 64 });
  const answers = await sender.sendAll(events.filter((event) => !removed.has(event.id)));
  sender.close();
  assert.deepEqual([...answers.values()].filter((status) => status !== 200), []);
  await until('what arrived is applied', async () => (await applied()) === String(EVENTS - REMOVED), 120000);
});
after(async () => {
  await stripe?.stop();
  await stack?.stop();
});

test('a look finds exactly the missing ones and changes nothing', async () => {
  const { status, stdout, stderr } = await sluice(['--since', '6h', '--limit', '100', '-o', 'json']);
  assert.equal(status, 1, stderr);
  const found = JSON.parse(stdout);
  assert.deepEqual(new Set(found.map((row) => row.event)), removed);
  assert.ok(found.every((row) => row.state === 'missing'));
  assert.match(stderr, /5000 listed by Stripe: 4963 applied, 0 dead letters, 37 missing, 0 published/);
  assert.equal(await applied(), String(EVENTS - REMOVED));
  assert.ok(stripe.requests.every((request) => request.method === 'GET'));
});

test('what Stripe says it could not deliver is the same list, and short to read', async () => {
  const before = stripe.requests.length;
  const { status, stdout } = await sluice(['--since', '6h', '--window', '6h', '--undelivered', '--limit', '100', '-o', 'json']);
  assert.equal(status, 1);
  assert.deepEqual(new Set(JSON.parse(stdout).map((row) => row.event)), removed);
  assert.equal(stripe.requests.length - before, 1);
});

test('--dry-run wins over --yes', async () => {
  const { status } = await sluice(['--since', '6h', '--yes', '--dry-run']);
  assert.equal(status, 1);
  assert.equal(await applied(), String(EVENTS - REMOVED));
});

test('a slow, limited and failing Stripe is waited for', async () => {
  stripe.fail({ path: '/v1/events', status: 429, times: 1, retryAfter: 1 });
  stripe.fail({ path: '/v1/events', status: 500, times: 1 });
  stripe.fail({ path: '/v1/events', status: 0, times: 1 });
  stripe.fail({ path: '/v1/events', status: 200, times: 1, delayMs: 300 });
  const { status, stderr } = await sluice(['--since', '6h', '--window', '6h', '--undelivered']);
  assert.equal(status, 1, stderr);
});

test('--yes publishes them, each is applied once, and nothing is missing after', async () => {
  const fingerprint = await stack.value(`SELECT count(*) FROM billing_customer`);
  const { status, stderr } = await sluice(['--since', '6h', '--yes', '--rate', '500']);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /37 missing, 37 published/);
  await until('the missing are applied', async () => (await applied()) === String(EVENTS));
  const stored = (await stack.query("SELECT event_id FROM sluice_inbox ORDER BY received_at DESC LIMIT 37")).map(([id]) => id);
  assert.deepEqual(new Set(stored), removed);
  const customers = events.filter((event) => event.type === 'customer.created').length;
  assert.equal(await stack.value('SELECT count(*) FROM billing_customer'), String(customers));
  assert.notEqual(fingerprint, String(customers));
  const again = await sluice(['--since', '6h']);
  assert.equal(again.status, 0, again.stderr);
  assert.match(again.stderr, /5000 applied, 0 dead letters, 0 missing/);
});

test('what is missing is told five days before Stripe forgets it, by line, status and figures', async () => {
  const day = 24 * 3600;
  const now = Math.floor(Date.now() / 1000);
  const file = path.join(stack.dir, 'reconcile.prom');
  const figures = () => Object.fromEntries(readFileSync(file, 'utf8').split('\n').filter((line) => line && !line.startsWith('#')).map((line) => {
    assert.match(line, /^sluice_reconcile_[a-z_]+\{account="",subsystem="billing"\} \d+$/);
    return [line.slice('sluice_reconcile_'.length, line.indexOf('{')), Number(line.split(' ')[1])];
  }));
  const look = (...args) => sluice(['--since', '29d', '--window', '30d', '--metrics', file, ...args]);
  const old = (id, days) => ({ id, object: 'event', type: 'customer.created', created: now - days * day, livemode: false, data: { object: { id: `cus_${id}`, object: 'customer', created: now - days * day, metadata: {} } } });

  assert.deepEqual([(await look()).status, figures().missing_events, figures().oldest_missing_timestamp_seconds], [0, 0, 0]);
  stripe.addEvents([old('evt_19d', 19)]);
  const early = await look();
  assert.deepEqual([early.status, /older than/.test(early.stderr)], [1, false]);
  stripe.addEvents([old('evt_21d', 21)]);
  const soon = await look();
  assert.equal(soon.status, 1);
  assert.match(soon.stderr, /^1 of the missing are older than 20 days$/m);
  stripe.addEvents([old('evt_26d', 26)]);
  const last = await look();
  assert.equal(last.status, 4);
  assert.match(last.stderr, /^1 of the missing are older than 25 days: Stripe forgets them after 30$/m);
  assert.deepEqual([figures().missing_events, figures().oldest_missing_timestamp_seconds], [3, now - 26 * day]);
  assert.ok(figures().finished_timestamp_seconds >= now && figures().listed_events === EVENTS + 3);

  assert.equal((await look('--yes')).status, 0);
  assert.deepEqual([figures().missing_events, figures().published_events, figures().oldest_missing_timestamp_seconds], [0, 3, 0]);
  await until('they are applied', async () => (await stack.value("SELECT count(*) FROM billing_customer WHERE id LIKE 'cus_evt_%d'")) === '3');
  assert.match((await look('--metrics', '/nowhere/at/all')).stderr, /cannot write \/nowhere\/at\/all/);
});

test('an event that became a dead letter is not missing', async () => {
  await stack.query(`INSERT INTO sluice_dead_letter (subsystem, event_id, type, reason, error_class, envelope, body_sha256)
                     SELECT 'billing', event_id, type, 'permanent', 'permanent', '', sha256(event_id::bytea) FROM sluice_inbox WHERE event_id = 'evt_r0'`);
  await stack.query("DELETE FROM sluice_inbox WHERE event_id = 'evt_r0'");
  const { status, stdout } = await sluice(['--since', '6h', '-o', 'json']);
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(stdout).map((row) => [row.event, row.state]), [['evt_r0', 'dead letter']]);
});

test('mistakes say what to do', async () => {
  assert.match((await sluice([])).stderr, /--since/);
  assert.match((await sluice(['--since', 'yesterday'])).stderr, /2026-01-31T14:00:00Z, or how long ago such as 2h/);
  assert.match((await sluice(['--since', '6h'], { STRIPE_RESTRICTED_KEY: '' })).stderr, /STRIPE_RESTRICTED_KEY/);
  const wrong = await sluice(['--since', '6h'], { STRIPE_RESTRICTED_KEY: 'rk_test_wrongwrongwrong' });
  assert.match(wrong.stderr, /401.*check the key/);
  assert.ok(!wrong.stderr.includes('wrongwrongwrong'), 'the key is not printed');
  assert.match((await sluice(['--since', '40d', '--until', '39d'])).stderr, /30 days/);
});

function doctor(args, environment = {}) {
  const env = { ...stack.environment, STRIPE_API_BASE: stripe.url, STRIPE_API_KEY: stripe.key, SLUICE_PUBLIC_URL: 'https://hooks.example.com', ...environment };
  return new Promise((resolve) => {
    execFile(`${process.env.SLUICE_BIN}/sluice`, ['doctor', 'stripe', ...args], { env, timeout: 300000 }, (error, stdout, stderr) =>
      resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr }));
  });
}

test('doctor stripe says whether Stripe sends here, and everything', async () => {
  const none = await doctor([]);
  assert.equal(none.status, 1);
  assert.match(none.stderr, /no endpoint leads to https:\/\/hooks\.example\.com: add https:\/\/hooks\.example\.com\/webhooks\/stripe/);

  const endpoint = { id: 'we_1', object: 'webhook_endpoint', url: 'https://hooks.example.com/webhooks/stripe', status: 'disabled', api_version: null, livemode: false, enabled_events: ['customer.created'] };
  stripe.put('webhook_endpoints', endpoint);
  stripe.put('webhook_endpoints', { ...endpoint, id: 'we_2', url: 'https://elsewhere.example.com/hook' });
  const wrong = await doctor(['-o', 'json']);
  assert.equal(wrong.status, 1);
  assert.deepEqual(JSON.parse(wrong.stdout).map((row) => [row.endpoint, row.leads_here]), [['we_1', 'yes'], ['we_2', 'no']]);
  assert.match(wrong.stderr, /we_1 is disabled/);
  assert.match(wrong.stderr, /we_1 does not send \d+ of the \d+ event types/);

  stripe.put('webhook_endpoints', { ...endpoint, status: 'enabled', enabled_events: ['*'] });
  const well = await doctor([]);
  assert.deepEqual([well.status, well.stderr], [0, 'asked with a test key: endpoints of live mode are not seen\n']);
});

test('doctor stripe passes on what Stripe refuses, and which permission is missing', async () => {
  stripe.fail({ path: '/v1/webhook_endpoints', status: 403, body: { error: { type: 'invalid_request_error', message: "The provided key 'rk_test_****' does not have the required permissions (rak_webhook_read)." } } });
  const refused = await doctor([]);
  assert.equal(refused.status, 78, refused.stderr);
  assert.match(refused.stderr, /rak_webhook_read.*give the restricted key this permission/);
  assert.match((await doctor([], { SLUICE_PUBLIC_URL: '' })).stderr, /SLUICE_PUBLIC_URL/);
  assert.match((await doctor(['--url', 'http://x'])).stderr, /begins with https/);
});
