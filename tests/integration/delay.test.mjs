// delay - a first try that is not to happen at once waits in the broker: per type, and whatever bindings an earlier day left.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import amqp from 'amqplib';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { copiesOf } from './lib/producer.mjs';

const WAIT_S = 3;
const subsystems = `[billing]
handler = billing
bindings = stripe.#
delay = customer.created:${WAIT_S}s
`;
let stack;
let sender;
let channel;
let connection;

before(async () => {
  stack = await Stack.start('delay', { subsystems });
  sender = new Sender(stack);
  connection = await amqp.connect(stack.amqpUrl);
  channel = await connection.createConfirmChannel();
});
after(async () => {
  await connection?.close();
  sender?.close();
  await stack?.stop();
});

const event = (id, type) => ({ id: `evt_${id}`, type, created: 1700000000, livemode: false,
  data: { object: { id: `cus_${id}`, object: 'customer', created: 1700000000, name: id } } });
const send = async (id, type) => assert.equal((await sender.signed(JSON.stringify(event(id, type)))).status, 200);
const rows = (id) => stack.query(`SELECT type, extract(epoch FROM applied_at - received_at)::numeric >= ${WAIT_S} FROM sluice_inbox WHERE event_id = 'evt_${id}'`);
const count = async (queue) => (await channel.checkQueue(queue)).messageCount;

test('a delayed type waits in the queue in front while other types of the same binding go straight on', async () => {
  const due = await copiesOf(connection, 'sluice.due');
  await send('slow', 'customer.created');
  await send('quick', 'customer.updated');
  await until('the other is applied', async () => (await rows('quick')).length === 1);
  await until('it is applied', async () => (await rows('slow')).length === 1);
  assert.deepEqual(await rows('slow'), [['customer.created', 't']]);
  await until('its copy is here', () => due.length > 0);
  assert.deepEqual(due.map((message) => [message.properties.messageId, message.properties.headers['x-death'][0].queue, message.properties.headers['x-death'][0].reason]),
    [['evt_slow', `sluice.billing.first.${WAIT_S}`, 'expired']]);
});

test('the wait outlives the consumer', async () => {
  await stack.terminate(stack.consumer);
  await send('alone', 'customer.created');
  await until('the wait is over', async () => (await count('sluice.billing')) === 1);
  await stack.startConsumer();
  await until('it is applied', async () => (await rows('alone')).length === 1);
});

test('a binding from before the delay was set makes nothing early and nothing double', async () => {
  await channel.bindQueue('sluice.billing', 'sluice.events', 'stripe.#');
  await send('bound', 'customer.created');
  await until('it is applied', async () => (await rows('bound')).length === 1);
  assert.deepEqual(await rows('bound'), [['customer.created', 't']]);
  await until('its second copy is acknowledged', async () => (await stack.metric('sluice_consumer_deliveries_total{subsystem="billing",outcome="duplicate"}', stack.consumerPort)) >= 1);
  assert.ok(await stack.metric('sluice_consumer_deliveries_total{subsystem="billing",outcome="early"}', stack.consumerPort) >= 1);
  await channel.unbindQueue('sluice.billing', 'sluice.events', 'stripe.#');
});

test('what fails after its delay is retried under its first key', async () => {
  await stack.query("ALTER TABLE billing_customer ADD CONSTRAINT refused CHECK (name <> 'refused')");
  await send('refused', 'customer.created');
  const letter = await until('the dead letter', async () => (await stack.query("SELECT routing_key, attempts FROM sluice_dead_letter WHERE event_id = 'evt_refused'"))[0]);
  assert.deepEqual(letter, ['stripe.customer.created', '1']);
});
