// examples - each section of compose/subsystems.example.conf, end to end, as it is shipped: only `enabled` is turned on, and half an hour is six seconds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Webhook } from 'standardwebhooks';
import { Producer, copiesOf } from './lib/producer.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = (file) => readFileSync(path.join(root, file), 'utf8');
const shipped = text('compose/subsystems.example.conf');
const subsystems = shipped.replaceAll('enabled = false', 'enabled = true').replace('networkTypeChange:30m', 'networkTypeChange:6s');
const sql = readdirSync(path.join(root, 'compose/examples')).map((file) => text(`compose/examples/${file}`)).join('\n');
const secret = () => `whsec_${randomBytes(32).toString('base64')}`;
const secrets = { ORDER_PROVISIONING_SECRET: secret(), SIM_MANAGEMENT_SECRET: secret() };

let stack;
let sender;
let producer;
let server;
const seen = [];
let answer = () => 200;

before(async () => {
  server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const one = { url: request.url, headers: request.headers, body: Buffer.concat(parts), at: Date.now() };
      seen.push(one);
      const [status, reply] = [answer(one)].flat();
      response.writeHead(status).end(reply === undefined ? undefined : JSON.stringify(reply));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  stack = await Stack.start('examples', { subsystems, sql, consumer: { ...secrets, QUEUE_BACKOFF_DELAY: '1000',
    ORDER_PROVISIONING_URL: `${url}/orders`, ORDER_PROVISIONING_DEAD_URL: `${url}/orders-dead`, SIM_MANAGEMENT_URL: `${url}/sims` } });
  sender = new Sender(stack);
  producer = await Producer.connect(stack);
});
after(async () => {
  server?.closeAllConnections();
  server?.close();
  await producer?.close();
  sender?.close();
  await stack?.stop();
});

const requests = (to) => seen.filter((one) => one.url === to);
const rows = (what, query, expected) => until(what, async () => {
  const found = await stack.query(query);
  return JSON.stringify(found) === JSON.stringify(expected) ? true : Promise.reject(new Error(JSON.stringify(found)));
});

test('the file says what it should: eight sections, billing alone enabled', () => {
  const names = [...shipped.matchAll(/^\[([a-z-]+)\]$/gm)].map(([, name]) => name);
  assert.deepEqual(names, ['billing', 'order-provisioning', 'sim-management', 'transcode', 'distribution', 'dmca-propagation', 'search-index', 'email-digest']);
  assert.equal(shipped.split('enabled = false').length - 1, 7);
});

test('billing', async () => {
  const answered = await sender.signed(JSON.stringify({ id: 'evt_1', type: 'customer.created', created: 1700000000, livemode: false,
    data: { object: { id: 'cus_1', object: 'customer', created: 1700000000, name: 'First' } } }));
  assert.equal(answered.status, 200);
  await rows('the customer is there', 'SELECT id, name FROM billing_customer', [['cus_1', 'First']]);
});

test('order-provisioning: the order is POSTed, signed', async () => {
  await producer.publish({ id: 'ord_1', type: 'order.paid', body: { sku: 'a' } });
  await until('it arrives', () => requests('/orders').length > 0);
  const [request] = requests('/orders');
  assert.deepEqual(new Webhook(secrets.ORDER_PROVISIONING_SECRET).verify(request.body, request.headers), { sku: 'a' });
  await rows('it is recorded', "SELECT verdict FROM sluice_inbox WHERE event_id = 'ord_1'", [['applied']]);
});

test('order-provisioning: what is given up is told to the shop with its error, again until it is taken', async () => {
  let refusals = 1;
  answer = (one) => {
    if (one.url === '/orders') return [422, { code: 'unknown_product', message: 'sku b' }];
    refusals -= 1;
    return refusals >= 0 ? 503 : 200;
  };
  await producer.publish({ id: 'ord_2', type: 'order.paid', body: { sku: 'b' }, object: 'order_2' });
  await until('the shop is told', () => requests('/orders-dead').length >= 2, 60000);
  const [first, second] = requests('/orders-dead');
  assert.equal(first.headers['idempotency-key'], second.headers['idempotency-key']);
  assert.equal(second.headers['sluice-resolution'], 'add the product to the catalogue, then replay');
  const told = new Webhook(secrets.ORDER_PROVISIONING_SECRET).verify(second.body, second.headers);
  assert.equal(told.type, 'event.dead');
  const { event_id, event_type, subsystem, object, reason, error_class, error_code, attempts, payload } = told.data;
  assert.deepEqual({ event_id, event_type, subsystem, object, reason, error_class, error_code, attempts, payload },
    { event_id: 'ord_2', event_type: 'order.paid', subsystem: 'order-provisioning', object: 'order_2', reason: 'permanent', error_class: 'permanent',
      error_code: 'unknown_product', attempts: 1, payload: { sku: 'b' } });
  assert.match(told.data.error, /422 unknown_product.*sku b/);
  await rows('it is marked', `SELECT told_at IS NOT NULL, n.error IS NULL FROM sluice_dead_notice n JOIN sluice_dead_letter d ON d.id = dead_letter_id
    WHERE d.event_id = 'ord_2'`, [['t', 't']]);
  answer = () => 200;
});

test('order-provisioning: three attempts, then it is told', async () => {
  answer = (one) => (one.url === '/orders' ? [409, { code: 'busy' }] : 200);
  await producer.publish({ id: 'ord_3', type: 'order.paid', body: {} });
  await rows('it is given up', "SELECT attempts, reason, error_code FROM sluice_dead_letter WHERE event_id = 'ord_3'", [['3', 'exhausted', 'busy']]);
  await until('the shop is told', () => requests('/orders-dead').some((one) => JSON.parse(one.body).data.event_id === 'ord_3'), 60000);
  answer = () => 200;
});

test('sim-management: other events than a changed network type go at once, signed', async () => {
  await producer.publish({ id: 'sim_1', type: 'sim.activated', body: { iccid: '89' } });
  await until('it arrives', () => requests('/sims').length > 0);
  const [request] = requests('/sims');
  assert.deepEqual(new Webhook(secrets.SIM_MANAGEMENT_SECRET).verify(request.body, request.headers), { iccid: '89' });
  await rows('it is recorded', "SELECT subsystem, verdict FROM sluice_inbox WHERE event_id = 'sim_1'", [['sim-management', 'applied']]);
});

test('sim-management: a changed network type waits in the broker before it is sent for the first time', async () => {
  const from = Date.now();
  const due = await copiesOf(producer.connection, 'sluice.due');
  await producer.publish({ id: 'sim_2', type: 'networkTypeChange', body: { iccid: '89', to: '5G' } });
  const request = await until('it is sent', () => requests('/sims').find((one) => one.headers['sluice-event-id'] === 'sim_2'));
  assert.ok(request.at - from >= 6000, `${request.at - from} ms`);
  assert.equal(request.headers['sluice-attempt'], '1');
  await until('it came from the broker', () => due.length > 0);
  assert.deepEqual(due.map((message) => [message.properties.messageId, message.properties.headers['x-death'][0].queue]), [['sim_2', 'sluice.sim-management.first.6']]); // in the broker
  await rows('it is recorded', "SELECT verdict FROM sluice_inbox WHERE event_id = 'sim_2'", [['applied']]);
});

test('transcode: jobs follow their track, the newest event wins', async () => {
  await producer.publish({ id: 'tr_1', type: 'track.uploaded', body: { track_id: 't1' }, occurredAt: 1700000001 });
  await producer.publish({ id: 'tr_3', type: 'track.transcoded', body: { track_id: 't1' }, occurredAt: 1700000003 });
  await producer.publish({ id: 'tr_2', type: 'track.transcode_failed', body: { track_id: 't1' }, occurredAt: 1700000002 });
  await producer.publish({ id: 'tr_4', type: 'track.uploaded', body: { track_id: 't2' }, occurredAt: 1700000004 });
  await producer.publish({ id: 'tr_5', type: 'track.played', body: { track_id: 't2' } });
  await rows('the inbox has all five', "SELECT count(*) FROM sluice_inbox WHERE subsystem = 'transcode'", [['5']]);
  await rows('the jobs are right', 'SELECT track_id, status FROM transcode_jobs ORDER BY 1', [['t1', 'done'], ['t2', 'queued']]);
  await rows('what is not for it is ignored', "SELECT verdict FROM sluice_inbox WHERE event_id = 'tr_5'", [['ignored']]);
});

test('distribution: a row per store', async () => {
  await producer.publish({ id: 'rel_1', type: 'release.approved', body: { release_id: 'r1', title: 'One', stores: ['a', 'b'] } });
  await rows('the outbox is right', "SELECT release_id, store, payload ->> 'title' FROM distribution_outbox ORDER BY id", [['r1', 'a', 'One'], ['r1', 'b', 'One']]);
});

test('dmca-propagation: every platform has its task; what cannot be read is told to the function for it', async () => {
  await producer.publish({ id: 'dm_1', type: 'dmca.notice', body: { notice_id: 'n1', work_id: 'w1' } });
  await rows('the tasks are there', 'SELECT platform, action FROM dmca_propagation ORDER BY 1', [['app', 'take_down'], ['stores', 'take_down'], ['web', 'take_down']]);
  await producer.publish({ id: 'dm_2', type: 'dmca.notice', body: { notice_id: 'n2' } });
  await rows('the failure is there', "SELECT event_id, error LIKE '%a notice without a work%' FROM dmca_failure", [['dm_2', 't']]);
});

test('search-index: the newest state of an object', async () => {
  await producer.publish({ id: 'cat_2', type: 'catalog.changed', object: 'o1', body: { title: 'new' }, occurredAt: 1700000002 });
  await producer.publish({ id: 'cat_1', type: 'catalog.changed', object: 'o1', body: { title: 'old' }, occurredAt: 1700000001 });
  await producer.publish({ id: 'cat_3', type: 'catalog.removed', body: { id: 'o2' }, occurredAt: 1700000003 });
  await rows('the updates are right', "SELECT object_id, operation, document ->> 'title' FROM search_index_updates ORDER BY 1", [['o1', 'index', 'new'], ['o2', 'delete', '']]);
});

test('email-digest: entries collect per recipient and day', async () => {
  for (const [id, recipient, occurredAt] of [['no_1', 'a', 1700000000], ['no_2', 'a', 1700000001], ['no_3', 'a', 1700090000], ['no_4', 'b', 1700000000]]) {
    await producer.publish({ id, type: 'notification.created', body: { recipient, text: id }, occurredAt });
  }
  await rows('the digests are right', 'SELECT recipient, day, jsonb_array_length(entries) FROM email_digest ORDER BY 1, 2',
    [['a', '2023-11-14', '2'], ['a', '2023-11-15', '1'], ['b', '2023-11-14', '1']]);
});
