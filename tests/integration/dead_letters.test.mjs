// dead_letters - what can never be applied is set aside with its bytes and its reason, and its neighbours are not held up.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import amqp from 'amqplib';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

let stack;
let sender;
let connection;
let channel;

before(async () => {
  stack = await Stack.start('dead_letters');
  sender = new Sender(stack);
  connection = await amqp.connect(stack.amqpUrl);
  channel = await connection.createConfirmChannel();
});
after(async () => {
  await connection?.close();
  sender?.close();
  await stack?.stop();
});

async function publish(body, { key = 'stripe.x.hand.made', messageId = 'evt_hand_made' } = {}) {
  channel.publish('sluice.events', key, Buffer.from(body), { persistent: true, mandatory: true, messageId });
  await channel.waitForConfirms();
}

const letter = (where) => until('the dead letter', async () => (await stack.query(
  `SELECT error_class, error_code, reason, subsystem, status, encode(envelope, 'hex') FROM sluice_dead_letter WHERE ${where}`))[0]);

test('a message that is no envelope is set aside with its bytes', async () => {
  await publish('not msgpack at all', { messageId: 'evt_garbage' });
  const [, code, , subsystem, status, envelope] = await letter("encode(envelope, 'escape') = 'not msgpack at all'");
  assert.equal(code, 'event.malformed');
  assert.equal(subsystem, 'billing');
  assert.equal(status, 'open');
  assert.equal(Buffer.from(envelope, 'hex').toString(), 'not msgpack at all');
});

test('an envelope of a later version waits for a later consumer', async () => {
  const later = Buffer.from([0x81, 0xa1, 0x76, 0x02]); // {"v": 2}
  await publish(later, { messageId: 'evt_later' });
  const [errorClass, code] = await letter("envelope = '\\x81a17602'");
  assert.equal(code, 'event.version');
  assert.equal(errorClass, 'version');
});

test('five bytes that claim four billion elements hurt nobody', async () => {
  await publish(Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]), { messageId: 'evt_bomb' });
  const [, code] = await letter("envelope = '\\xddffffffff'");
  assert.equal(code, 'event.malformed');
});

test('an event no queue is bound to is kept as unrouted', async () => {
  await publish('nobody wants this', { key: 'unknown.source', messageId: 'evt_unrouted' });
  const [, , reason] = await letter("encode(envelope, 'escape') = 'nobody wants this'");
  assert.equal(reason, 'unrouted');
});

test('events behind and beside the poison are applied', async () => {
  for (let n = 0; n < 20; n += 1) {
    const answer = await sender.signed(JSON.stringify({ id: `evt_beside_${n}`, type: 'customer.created', created: 1700000000 + n, livemode: false,
      data: { object: { id: `cus_beside_${n}`, object: 'customer', created: 1700000000, name: `Beside ${n}` } } }));
    assert.equal(answer.status, 200);
    if (n % 5 === 0) await publish(`poison ${n}`, { messageId: `evt_poison_${n}` });
  }
  await until('all neighbours are applied', async () => (await stack.value("SELECT count(*) FROM billing_customer WHERE id LIKE 'cus_beside_%'")) === '20');
  await until('all poison is set aside', async () => (await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE encode(envelope, 'escape') LIKE 'poison%'")) === '4');
});

test('nothing is left in a queue', async () => {
  await until('queues are empty', async () => {
    const queues = await stack.api('GET', `/api/queues/${stack.name}`);
    return queues.length > 0 && queues.every((queue) => (queue.messages ?? 0) === 0);
  }, 60000);
});
