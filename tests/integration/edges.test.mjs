// edges - what stands beside the two programs: a clock that has gone on, users of the broker that may not, queues that somebody deletes.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { test, afterEach } from 'node:test';
import amqp from 'amqplib';
import { Producer } from './lib/producer.mjs';
import { Sender, signature } from './lib/sender.mjs';
import { Stack, freePort, until } from './lib/stack.mjs';

// The library alone: its wrapper program is a process of its own.
const clock = readdirSync('/usr/lib', { withFileTypes: true }).map((entry) => `/usr/lib/${entry.name}/faketime/libfaketime.so.1`).find((file) => existsSync(file));
let stack;
let sender;

afterEach(async () => {
  sender?.close();
  sender = undefined;
  await stack?.stop();
});

const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);

// C15: the age of a signature is judged at the door alone.
test('an event that was journaled two days ago is applied when the broker is there, with the time at which it came', { skip: clock === undefined }, async () => {
  const then = Math.floor(Date.now() / 1000) - 2 * 86400;
  stack = await Stack.start('two_days', { withPublisher: false });
  const here = stack.publisherEnvironment;
  stack.publisherEnvironment = { ...here, AMQP_URL: `amqp://guest:guest@127.0.0.1:${await freePort()}`, SLUICE_JOURNAL_ALLOW_VOLATILE: 'true',
    LD_PRELOAD: clock, FAKETIME: '-2d', FAKETIME_DONT_FAKE_MONOTONIC: '1', ASAN_OPTIONS: `${stack.environment.ASAN_OPTIONS}:verify_asan_link_order=0` };
  await stack.startPublisher();
  sender = new Sender(stack);
  const body = JSON.stringify({ id: 'evt_two_days', object: 'event', type: 'charge.succeeded', created: then, livemode: false, data: { object: { id: 'ch_1', object: 'charge' } } });
  const answer = await sender.post(body, { 'stripe-signature': signature(stack.secret, body, { timestamp: then }) });
  assert.equal(answer.status, 202, answer.body);
  assert.deepEqual(await stack.terminate(stack.publisher), { code: 0, signal: null });

  stack.publisherEnvironment = { ...here, SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' };
  await stack.startPublisher();
  await until('it is applied', async () => (await count("sluice_inbox WHERE event_id = 'evt_two_days'")) === 1, 60000);
  assert.equal(await stack.value("SELECT abs(extract(epoch FROM received_at) - " + then + ") < 600 FROM sluice_inbox WHERE event_id = 'evt_two_days'"), 't');
  const late = await sender.post(body, { 'stripe-signature': signature(stack.secret, body, { timestamp: then }) });
  assert.equal(late.status, 400, 'the same signature at the door now');
});

// C18: who may write where is the broker's to say; schemas/topology.md has the rights of each role.
test('with the rights of their roles both programs work, and nobody else can bring a message in', async () => {
  stack = await Stack.start('roles', { withPublisher: false, withConsumer: false });
  const user = async (role, configure, write, read) => {
    const name = `${stack.name}_${role}`;
    await stack.api('PUT', `/api/users/${name}`, { password: role, tags: '' });
    await stack.api('PUT', `/api/permissions/${stack.name}/${name}`, { configure, write, read });
    const url = new URL(stack.amqpUrl);
    url.username = name;
    url.password = role;
    return url.toString();
  };
  const publisher = await user('publisher', '^$', '^sluice\\.(events|due|delay\\.[0-9]+)$', '^$');
  const consumer = await user('consumer', '^$', '^sluice\\.(parked|delay\\.[0-9]+)$', '^sluice\\.');
  const stranger = await user('stranger', '', '', '');
  try {
    stack.publisherEnvironment.AMQP_URL = publisher;
    stack.consumerEnvironment.AMQP_URL = consumer;
    await stack.startPublisher();
    await stack.startConsumer();
    sender = new Sender(stack);
    const event = (id, type) => JSON.stringify({ id, object: 'event', type, created: 1700000000, livemode: false, data: { object: { id: 'cus_1', object: 'customer', created: 1700000000 } } });
    assert.equal((await sender.signed(event('evt_role', 'customer.created'))).status, 200);
    await until('it is applied', async () => (await count("sluice_inbox WHERE event_id = 'evt_role'")) === 1);
    for (const url of [stranger, consumer]) {
      const connection = await amqp.connect(url);
      connection.on('error', () => {});
      const channel = await connection.createConfirmChannel();
      const refused = new Promise((resolve) => channel.on('error', resolve));
      channel.publish('sluice.events', 'stripe.customer.created', Buffer.from('a message of somebody else'));
      assert.equal((await refused).code, 403);
      await connection.close();
    }
    // And one that has the right but not our form is a dead letter, never a row.
    const insider = await Producer.connect(stack);
    const connection = await amqp.connect(publisher);
    const channel = await connection.createConfirmChannel();
    channel.publish('sluice.events', 'stripe.customer.created', Buffer.from('{"id":"evt_made_up"}'), { persistent: true, messageId: 'evt_made_up' });
    await channel.waitForConfirms();
    await until('it is set aside', async () => (await count("sluice_dead_letter WHERE error_class = 'decode'")) === 1, 60000);
    assert.equal(await count("sluice_inbox WHERE event_id = 'evt_made_up'"), 0);
    await connection.close();
    await insider.close();
  } finally {
    for (const role of ['publisher', 'consumer', 'stranger']) await stack.api('DELETE', `/api/users/${stack.name}_${role}`);
  }
});

const event = (id, type, object) => JSON.stringify({ id, object: 'event', type, created: 1700000000, livemode: false, data: { object } });
const customer = (n, object = `cus_${n}`) => event(`evt_${n}`, 'customer.created', { id: object, object: 'customer', email: `${n}@example.com`, created: 1700000000 });
const remove = (queue) => stack.api('DELETE', `/api/queues/${stack.name}/${queue}`);

// C5: what arrives meanwhile is nobody's, so it is kept as unrouted.
test('a queue that is deleted while it is consumed is named; made again it is consumed again, and what came meanwhile is replayed: nothing is lost', async () => {
  stack = await Stack.start('queue_gone');
  sender = new Sender(stack);
  const taken = async (name) => {
    const answers = await sender.sendAll(Array.from({ length: 100 }, (_, n) => JSON.parse(customer(`${name}_${n}`))));
    for (const status of answers.values()) assert.equal(status, 200);
  };
  await taken('before');
  await until('they are applied', async () => (await count('billing_customer')) === 100, 60000);
  await remove('sluice.billing');
  await until('it is said', () => stack.linesOf(stack.consumer, 'topology.missing').some((line) => JSON.stringify(line).includes('sluice.billing')));
  await taken('meanwhile');
  await until('they are kept as unrouted', async () => (await count("sluice_dead_letter WHERE reason = 'unrouted' AND status = 'open'")) === 100, 60000);
  await stack.sluice('topology', 'apply');
  await taken('after');
  await until('those that come now are applied', async () => (await count('billing_customer')) === 200, 90000);
  await stack.sluice('dead', 'replay', '--subsystem', 'unrouted', '--limit', '100', '--rate', '1000/s', '--yes', '--reason', 'the queue is there again');
  await until('all are applied', async () => (await count('billing_customer')) === 300, 60000);
  assert.equal(await count("sluice_inbox WHERE subsystem = 'billing'"), 300);
  assert.equal(await count("sluice_dead_letter WHERE status = 'open'"), 0);
});

const waiting = async (queue) => {
  const connection = await amqp.connect(stack.amqpUrl);
  const { messageCount } = await (await connection.createChannel()).checkQueue(queue);
  await connection.close();
  return messageCount;
};

test('what is in hand when its queue is deleted goes on by the delays when the consumer has to end before it can be applied', async (t) => {
  stack = await Stack.start('hand_gone', { consumer: { SLUICE_DRAIN_TIMEOUT: '12s' } });
  sender = new Sender(stack);
  const release = await stack.lock('LOCK TABLE billing_customer IN EXCLUSIVE MODE');
  t.after(release);
  for (let n = 0; n < 20; n += 1) assert.equal((await sender.signed(customer(n))).status, 200);
  const inHand = () => stack.metric('sluice_consumer_inflight{subsystem="billing"}', stack.consumerPort);
  await until('all are in hand', async () => (await inHand()) === 20 && (await waiting('sluice.billing')) === 0);
  await remove('sluice.billing');
  await until('it is said that they are kept', () => stack.linesOf(stack.consumer, 'consumer.kept').length > 0);
  assert.deepEqual(await stack.terminate(stack.consumer), { code: 0, signal: null });
  await release();
  await stack.sluice('topology', 'apply');
  await stack.startConsumer();
  const open = () => count("sluice_dead_letter WHERE reason = 'unrouted' AND status = 'open'");
  await until('all are there', async () => (await open()) + (await count('sluice_inbox')) === 20, 60000);
  if ((await open()) > 0) await stack.sluice('dead', 'replay', '--subsystem', 'unrouted', '--limit', '100', '--rate', '1000/s', '--yes', '--reason', 'the queue is there again');
  await until('all are applied', async () => (await count('billing_customer')) === 20, 60000);
  assert.equal(await count("sluice_inbox WHERE subsystem = 'billing'"), 20);
  assert.equal(await open(), 0);
  assert.equal(await count('sluice_attempt'), 0);
});

const LETTERS = 4; // one more, and the breaker of their type holds the others

test('letters in hand when their queue is deleted are written all the same', async (t) => {
  stack = await Stack.start('letters_gone');
  sender = new Sender(stack);
  await stack.query("ALTER TABLE billing_customer ADD CONSTRAINT refused CHECK (name <> 'Refused')");
  const release = await stack.lock('LOCK TABLE sluice_dead_letter IN EXCLUSIVE MODE');
  t.after(release);
  for (let n = 0; n < LETTERS; n += 1) assert.equal((await sender.signed(event(`evt_${n}`, 'customer.created', { id: `cus_${n}`, object: 'customer', name: 'Refused', created: 1700000000 }))).status, 200);
  await stack.said(stack.consumer, 'consumer.dead_lettered', LETTERS);
  await until('all are in hand', async () => (await waiting('sluice.billing.parked')) === 0);
  await remove('sluice.billing.parked');
  await until('it is said', () => stack.linesOf(stack.consumer, 'topology.missing').some((line) => line.link === 'parker.consume'));
  await release();
  await until('all are written', async () => (await count("sluice_dead_letter WHERE status = 'open'")) === LETTERS, 60000);
  await stack.sluice('topology', 'apply');
});

// C9: the last place for it is missing as well.
test('what has to be parked stays where it is while there is no queue for it, and is one letter when there is', async () => {
  stack = await Stack.start('parked_gone');
  sender = new Sender(stack);
  await stack.query("ALTER TABLE billing_customer ADD CONSTRAINT refused CHECK (id <> 'cus_refused')");
  await remove('sluice.billing.parked');
  await remove('sluice.unrouted');
  for (const [id, object] of [['bad', 'cus_refused'], ['good', 'cus_good']]) assert.equal((await sender.signed(customer(id, object))).status, 200);
  await until('the copy is said to have failed', () => stack.linesOf(stack.consumer, 'consumer.republish_failed').some((line) => line.event_id === 'evt_bad'));
  await until('its neighbour is applied', async () => (await count("billing_customer WHERE id = 'cus_good'")) === 1, 60000);
  assert.equal(await count('sluice_dead_letter'), 0);
  await stack.sluice('topology', 'apply');
  await until('it is a letter', async () => (await count("sluice_dead_letter WHERE event_id = 'evt_bad' AND status = 'open'")) === 1, 90000);
  await until('nothing waits', async () => (await stack.api('GET', `/api/queues/${stack.name}`)).every((queue) => (queue.messages ?? 0) === 0), 60000);
  assert.equal(await count('sluice_dead_letter'), 1);
});
