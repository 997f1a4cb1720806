// retry - what fails by itself waits in the broker and is tried again; what cannot pass, or has failed too often, becomes a dead letter.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import amqp from 'amqplib';
import { customerCreated } from './lib/events.mjs';
import { allForeign } from './lib/foreign.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

let stack;
let sender;
let connection;

before(async () => {
  stack = await Stack.start('retry', { consumer: { QUEUE_DEFAULT_ATTEMPTS: '3', QUEUE_BACKOFF_DELAY: '2000' } });
  sender = new Sender(stack);
  connection = await amqp.connect(stack.amqpUrl);
  // A subscription whose customer is not there yet is refused with 23503, a customer called Refused with 23514.
  await stack.query(`ALTER TABLE billing_subscription ADD CONSTRAINT subscription_has_customer
      FOREIGN KEY (account, livemode, customer) REFERENCES billing_customer (account, livemode, id);
    ALTER TABLE billing_customer ADD CONSTRAINT not_refused CHECK (name <> 'Refused')`);
});
after(async () => {
  await connection?.close();
  sender?.close();
  await stack?.stop();
});

const customer = (id, name = 'Somebody') => customerCreated(id, { name });
const subscription = (id, of) => ({ id: `evt_${id}`, type: 'customer.subscription.created', created: 1700000001, livemode: false,
  data: { object: { id, object: 'subscription', customer: of, status: 'active', created: 1700000001, items: { object: 'list', data: [], has_more: false } } } });
async function send(event) {
  assert.equal((await sender.signed(JSON.stringify(event))).status, 200);
}
const applied = (id) => stack.value(`SELECT count(*) FROM sluice_inbox WHERE event_id = 'evt_${id}'`);
const letterOf = (id) => until(`the dead letter of ${id}`, async () => (await stack.query(
  `SELECT reason, error_class, error_code, attempts, status, routing_key, first_failed_at < created_at, error FROM sluice_dead_letter WHERE event_id = 'evt_${id}'`))[0], 60000);
const lines = (event) => stack.logOf(stack.consumer).split('\n').filter((line) => line.includes(`"event":"${event}"`)).map((line) => JSON.parse(line));

// Gets a copy of what is published to each exchange, until stop().
async function copiesOf(...bindings) {
  const channel = await connection.createChannel();
  const copies = [];
  for (const [exchange, key] of bindings) {
    const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
    await channel.bindQueue(queue, exchange, key);
    await channel.consume(queue, (message) => copies.push(message), { noAck: true });
  }
  return { copies, stop: () => channel.close() }; // without its consumer the queue is gone
}

test('a child that came before its parent waits in the broker, and is applied when the parent is there', async () => {
  await send(subscription('sub_early', 'cus_late'));
  await until('it waits', () => lines('consumer.delayed').some((line) => line.event_id === 'evt_sub_early'));
  const [line] = lines('consumer.delayed');
  assert.equal(line.error_code, '23503');
  assert.equal(line.attempt, 1);
  assert.ok(line.wait_s >= 1);
  assert.equal(await applied('sub_early'), '0');
  await send(customer('cus_late'));
  await until('both are applied', async () => (await applied('sub_early')) === '1');
  assert.equal(await stack.value("SELECT status FROM billing_subscription WHERE id = 'sub_early'"), 'active');
  assert.equal(await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE event_id = 'evt_sub_early'"), '0');
});

test('what can never pass is parked at its first try', async () => {
  await send(customer('cus_refused', 'Refused'));
  const [reason, errorClass, code, attempts, status, key] = await letterOf('cus_refused');
  assert.deepEqual([reason, errorClass, code, attempts, status, key], ['permanent', 'permanent', '23514', '1', 'open', 'stripe.customer.created']);
});

test('what goes on failing is a dead letter after the last attempt, with its history; its copies carry what the next reader needs', async () => {
  const tap = await copiesOf(['sluice.delay.00', '#'], ['sluice.delay.01', '#'], ['sluice.delay.02', '#'], ['sluice.parked', 'billing']);
  const isParked = (message) => message.fields.exchange === 'sluice.parked';
  await send(subscription('sub_orphan', 'cus_never'));
  const [reason, errorClass, code, attempts, status, key, hasHistory, error] = await letterOf('sub_orphan');
  assert.deepEqual([reason, errorClass, code, attempts, status, key, hasHistory], ['exhausted', 'item', '23503', '3', 'open', 'stripe.customer.subscription.created', 't']);
  assert.match(error, /subscription_has_customer/);
  assert.deepEqual(lines('consumer.delayed').filter((line) => line.event_id === 'evt_sub_orphan').map((line) => line.attempt), [1, 2]);

  await until('the copies are here', () => tap.copies.some(isParked) && tap.copies.length >= 3);
  await tap.stop();
  for (const message of tap.copies) {
    assert.equal(message.properties.messageId, 'evt_sub_orphan');
    assert.equal(message.properties.deliveryMode, 2);
    assert.equal(message.properties.headers['sluice-orig-key'], 'stripe.customer.subscription.created');
    assert.equal(message.properties.headers['sluice-error-code'], '23503');
    assert.ok(message.properties.headers['sluice-first-failed-at'] > 1700000000000);
  }
  // A copy on its way through the levels has the broker's own x-death; what the consumer publishes has not.
  const published = tap.copies.filter((message) => message.properties.headers['x-death'] === undefined);
  assert.deepEqual(published.filter((message) => !isParked(message)).map((message) => message.properties.headers['sluice-attempt']).sort(), [2, 3]);
  assert.deepEqual(published.filter(isParked).map((message) => message.properties.headers['sluice-attempt']), [3]);
});

test('a message that a stranger republished with its death headers is retried all the same, and none of them travels on', async () => {
  const tap = await copiesOf(['sluice.due', '#']);
  const { copies, stop } = await copiesOf(['sluice.events', 'stripe.#']);
  await send(subscription('sub_strange', 'cus_strange'));
  await until('its bytes are known', () => copies.length > 0);
  await stop();
  const confirms = await connection.createConfirmChannel();
  confirms.publish('sluice.events', 'stripe.customer.subscription.created', Buffer.from(copies[0].content), { persistent: true, messageId: 'evt_sub_strange',
    headers: allForeign });
  await confirms.waitForConfirms();
  await confirms.close();
  await until('both have failed once', () => lines('consumer.delayed').filter((line) => line.event_id === 'evt_sub_strange' && line.attempt === 1).length === 2);
  await send(customer('cus_strange'));
  await until('it is applied', async () => (await applied('sub_strange')) === '1', 60000);
  await until('no copy waits', () => stack.isBrokerEmpty(), 60000);
  assert.equal(await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE event_id = 'evt_sub_strange'"), '0');
  await tap.stop();
  const due = tap.copies.filter((message) => message.properties.messageId === 'evt_sub_strange');
  assert.ok(due.length > 0);
  for (const { properties: { headers } } of due) {
    const added = (name) => /^x-(death|first-death-|last-death-)/.test(name); // by the broker, on the way through the delay levels
    assert.deepEqual(Object.keys(headers).filter((name) => !added(name) && !/^sluice-|^traceparent$/.test(name)), []);
    assert.ok(headers['x-death'].every((death) => death.count === 1), JSON.stringify(headers['x-death']));
  }
});

test('while the way to the delays is broken nothing is acknowledged, and it goes on when the way is there', async () => {
  const channel = await connection.createChannel();
  await channel.unbindQueue('sluice.unrouted', 'sluice.unrouted', '');
  const ways = [0, 1].map((level) => [`sluice.delay.0${level}`, `sluice.delay.0${level}`, `${'*.'.repeat(19 - level)}1.#`]);
  for (const way of ways) await channel.unbindQueue(...way);
  await send(subscription('sub_blocked', 'cus_blocked'));
  await until('the publish is said to have failed', () => lines('consumer.republish_failed').some((line) => line.event_id === 'evt_sub_blocked'));
  assert.equal(await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE event_id = 'evt_sub_blocked'"), '0');
  await send(customer('cus_blocked'));
  await until('others are applied meanwhile', async () => (await applied('cus_blocked')) === '1');
  for (const way of ways) await channel.bindQueue(...way); // before the way to sluice.unrouted, which a try in between would take
  await stack.sluice('topology', 'apply');
  await until('it is applied', async () => (await applied('sub_blocked')) === '1', 60000);
});

test('every failed try can be read, with when the next one is due', async () => {
  await until('the tries of the orphan are noted', async () => (await stack.value("SELECT count(*) FROM sluice_attempt WHERE event_id = 'evt_sub_orphan'")) === '3');
  assert.deepEqual(await stack.query(`SELECT attempt, class, code, type, due_at > at, error ~ 'subscription_has_customer' FROM sluice_attempt
      WHERE event_id = 'evt_sub_orphan' ORDER BY attempt`),
  [['1', 'item', '23503', 'customer.subscription.created', 't', 't'], ['2', 'item', '23503', 'customer.subscription.created', 't', 't'],
    ['3', 'item', '23503', 'customer.subscription.created', '', 't']]);
  assert.equal(await stack.value("SELECT count(*) FROM sluice_attempt WHERE event_id = 'evt_cus_refused' AND due_at IS NULL"), '1');
});

test('nothing is left in a queue, and the counters tell the story', async () => {
  await until('queues are empty', () => stack.isBrokerEmpty(), 60000);
  const count = (outcome) => stack.metric(`sluice_consumer_deliveries_total{subsystem="billing",outcome="${outcome}"}`, stack.consumerPort);
  await until('each is counted and said', async () => (await count('retried')) === lines('consumer.delayed').length && (await count('dead_lettered')) === 2);
});
