// billing_callback - what changes in billing is told to RAPTOR_BASE_URL with its bearer token; a target that fails is waited for, and nothing is forgotten.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { histories } from './lib/histories.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const token = 'a-token-for-raptor-of-32-characters-00';
let target;
let seen = [];
let answer = () => 200;
let stack;
let sender;

before(async () => {
  target = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const one = { method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(parts).toString() };
      const status = answer(one);
      seen.push({ ...one, status });
      response.writeHead(status).end();
    });
  });
  await new Promise((resolve) => { target.listen(0, '127.0.0.1', resolve); });
  stack = await Stack.start('billing_callback', {
    environment: { RAPTOR_BASE_URL: `http://127.0.0.1:${target.address().port}/internal/billing`, QUEUE_TO_RAPTOR_INTERNAL_TOKEN: token, QUEUE_BACKOFF_DELAY: '1000', QUEUE_DEFAULT_ATTEMPTS: '2' },
  });
  sender = new Sender(stack);
});
after(async () => {
  sender?.close();
  await stack?.stop();
  target?.closeAllConnections();
  target?.close();
});

const event = (id, type, object = {}) => JSON.stringify({ id, object: 'event', type, created: Math.floor(Date.now() / 1000), livemode: false, data: { object: { id: `cus_${id}`, object: 'customer', created: 1, metadata: {}, ...object } } });
const told = (id) => seen.filter((one) => one.headers['sluice-event-id'] === id);
const isDone = (id) => stack.value(`SELECT count(*) FROM sluice_inbox WHERE subsystem = 'billing-callback' AND event_id = '${id}'`).then((count) => count === '1');

test('a billing change is one POST of its own bytes with the token; other events are none', async () => {
  const body = event('evt_1', 'customer.updated');
  assert.equal((await sender.signed(body)).status, 200);
  assert.equal((await sender.signed(event('evt_other', 'charge.succeeded', { object: 'charge' }))).status, 200);
  assert.equal((await sender.signed(event('evt_2', 'customer.updated'))).status, 200);
  await until('both are told', async () => (await isDone('evt_1')) && isDone('evt_2'));
  const [one, ...more] = told('evt_1');
  assert.deepEqual([one.method, one.url, one.body, one.headers.authorization, one.headers['idempotency-key'], more.length], ['POST', '/internal/billing', body, `Bearer ${token}`, 'evt_1', 0]);
  assert.equal(one.headers['webhook-signature'], undefined);
  assert.deepEqual(told('evt_other'), []);
  await until('billing has it', async () => (await stack.value("SELECT count(*) FROM billing_customer WHERE id = 'cus_evt_1'")) === '1'); // it waits for nobody else
});

test('a target that fails for everyone costs nobody an attempt, and hears of everything when it is back', async () => {
  const { events } = histories(7, 10, Math.floor(Date.now() / 1000) - 3600);
  const wanted = events.filter((one) => /^(customer|invoice|invoice_payment)\./.test(one.type)).map((one) => one.id);
  const from = seen.length;
  answer = () => 503;
  const answers = await sender.sendAll(events);
  assert.ok([...answers.values()].every((status) => status === 200));
  await until('the target is tried', () => seen.length > from + 2);
  await until('billing does not wait for it', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE subsystem = 'billing' AND event_id <> ALL ('{evt_1,evt_2,evt_other}')")) === String(events.length));
  answer = () => 200;
  await until('all are told', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE subsystem = 'billing-callback' AND event_id <> ALL ('{evt_1,evt_2,evt_other}')")) === String(wanted.length), 90000);
  for (const id of wanted) assert.equal(told(id).filter((one) => one.status === 200).length, 1, id);
  assert.equal(await stack.value('SELECT count(*) FROM sluice_dead_letter'), '0');
});

test('an event that the target refuses is a dead letter of its own, and is replayed', async () => {
  answer = (one) => (one.headers['sluice-event-id'] === 'evt_bad' ? 422 : 200);
  await sender.signed(event('evt_bad', 'customer.updated'));
  await sender.signed(event('evt_good', 'customer.updated'));
  await until('its neighbour is told', () => isDone('evt_good'));
  const [row] = await until('it is a dead letter', async () => {
    const rows = await stack.query("SELECT subsystem, error_code FROM sluice_dead_letter WHERE event_id = 'evt_bad' AND status = 'open'");
    return rows.length > 0 && rows;
  });
  assert.deepEqual(row, ['billing-callback', 'http.422']);
  answer = () => 200;
  await stack.sluice('dead', 'replay', '--subsystem', 'billing-callback', '--yes', '--reason', 'a test');
  await until('it is told', () => isDone('evt_bad'), 60000);
});

test('a token that the target does not take stops the callback, not billing, and is no secret in the log', async () => {
  answer = () => 401;
  await sender.signed(event('evt_locked', 'customer.updated'));
  await until('it is tried', () => told('evt_locked').length > 0);
  assert.equal(await until('billing applies it', () => stack.value("SELECT count(*) FROM billing_customer WHERE id = 'cus_evt_locked'").then((count) => count === '1' && count)), '1');
  assert.equal(await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE event_id = 'evt_locked'"), '0');
  answer = () => 200;
  await until('it is told when the token is taken', () => isDone('evt_locked'), 120000);
  assert.ok(!stack.logOf(stack.consumer).includes(token));
});

test('without the variable there is no such queue', async () => {
  const other = await Stack.start('billing_callback_none', { withConsumer: false, withPublisher: false });
  try {
    const queues = await other.api('GET', `/api/queues/${other.name}`);
    assert.ok(queues.some((one) => one.name === 'sluice.billing') && !queues.some((one) => one.name === 'sluice.billing-callback'));
  } finally {
    await other.stop();
  }
});
