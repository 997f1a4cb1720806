// events_api - our own programs publish their events: both forms, alone and in batches, now and later, with the broker there and away.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import amqplib from 'amqplib';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { Tap } from './lib/tap.mjs';

const token = randomBytes(24).toString('hex');
const MIB = 1048576;
let stack;
let tap;
let sender;
const accepted = [];

before(async () => {
  stack = await Stack.start('events_api', { withConsumer: false, publisher: { QUEUE_SERVICE_TOKEN_RAPTOR: token } });
  tap = await Tap.open(stack);
  sender = new Sender(stack, { path: '/api/v1/events', connections: 8 });
});
after(async () => {
  sender?.close();
  await tap?.close();
  await stack?.stop();
});

const send = (body, headers = {}) => sender.post(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body), { authorization: `Bearer ${token}`, ...headers });
async function published(id) {
  await until(`${id} is published`, () => tap.byId(id).length > 0);
  return tap.byId(id)[0];
}

test('the simple form: confirmed, and its bytes travel as they came', async () => {
  const body = '{ "id":"ord_1", "type":"order.created",\n "object":"o_1", "occurred_at":1700000000, "data":{"n":1.0, "big":123456789012345678901234567890} }';
  const answer = await send(body);
  assert.deepEqual([answer.status, answer.body], [200, '{"received":true,"id":"ord_1"}']);
  accepted.push('ord_1');
  const { key, envelope, body: kept, properties } = await published('ord_1');
  assert.equal(key, 'internal.order.created');
  assert.equal(kept.toString(), body);
  assert.equal(properties.messageId, 'ord_1');
  assert.deepEqual([envelope.source, envelope.account, envelope.object, envelope.livemode, Number(envelope.occurred_at)], ['internal', '', 'o_1', true, 1700000000]);
  assert.ok(!('deliver_at' in envelope));
});

test('CloudEvents, structured: (source, id) names the event, so the same id of two producers is two events', async () => {
  const cloud = (source) => ({ specversion: '1.0', id: 'ce_1', source, type: 'com.example.order.created', subject: 'o_2', time: '2023-11-14T22:13:20Z', datacontenttype: 'application/json', data: { a: 1 } });
  for (const source of ['/shop/orders', '/shop/returns']) {
    const answer = await send(cloud(source), { 'content-type': 'application/cloudevents+json; charset=utf-8' });
    assert.deepEqual([answer.status, answer.body], [200, '{"received":true,"id":"ce_1"}']);
    accepted.push('ce_1');
  }
  await until('both are published', () => tap.byId('ce_1').length === 2);
  assert.deepEqual(tap.byId('ce_1').map((one) => one.envelope.account).sort(), ['/shop/orders', '/shop/returns']);
  assert.equal(tap.byId('ce_1')[0].key, 'internal.com.example.order.created');
  assert.equal(tap.byId('ce_1')[0].envelope.content_type, 'application/cloudevents+json');
});

test('a source of its own; a webhook source cannot be borrowed', async () => {
  const answer = await send({ id: 'own_1', type: 'sim.activated', source: 'sim-service' });
  assert.equal(answer.status, 200);
  accepted.push('own_1');
  assert.equal((await published('own_1')).key, 'sim-service.sim.activated');
  const borrowed = await send({ id: 'own_2', type: 'customer.deleted', source: 'stripe' });
  assert.equal(borrowed.status, 400);
  assert.equal(borrowed.headers['content-type'], 'application/problem+json');
  assert.deepEqual(JSON.parse(borrowed.body), { type: 'about:blank', title: 'Bad Request', status: 400, detail: 'source: that is a webhook source; only its sender can speak for it' });
});

test('a batch of 500: one answer for each, 200 when all are confirmed', async () => {
  const events = Array.from({ length: 500 }, (_, i) => ({ id: `batch_${i}`, type: 'bulk.row', data: { i } }));
  const answer = await send(events);
  assert.equal(answer.status, 200, answer.body);
  const told = JSON.parse(answer.body);
  assert.deepEqual([told.received, told.refused, told.events.length], [500, 0, 500]);
  told.events.forEach((one, i) => assert.deepEqual(one, { id: `batch_${i}`, status: 200, received: true }));
  accepted.push(...events.map((one) => one.id));
  await until('all are published', () => events.every((one) => tap.byId(one.id).length === 1));
  assert.equal(tap.byId('batch_7')[0].body.toString(), JSON.stringify(events[7]));
});

test('a batch with wrong ones: 207, the others are confirmed, each wrong one says why', async () => {
  const answer = await send({ events: [{ id: 'mix_1', type: 't' }, { type: 't' }, { id: 'mix_3', type: 't', deliverAt: 1 }, 7, { id: 'mix_5', type: 't' }] });
  assert.equal(answer.status, 207);
  const told = JSON.parse(answer.body);
  assert.deepEqual([told.received, told.refused], [2, 3]);
  assert.deepEqual(told.events.map((one) => [one.id, one.status, one.received]),
    [['mix_1', 200, true], [null, 400, false], ['mix_3', 400, false], [null, 400, false], ['mix_5', 200, true]]);
  for (const one of told.events.filter((each) => !each.received)) assert.ok(one.error.length > 10);
  accepted.push('mix_1', 'mix_5');
});

const refused = [
  ['nothing', '', 400],
  ['no JSON', '{"id":', 400],
  ['a text', '"x"', 400],
  ['an empty batch', '[]', 400],
  ['501 events', JSON.stringify(Array.from({ length: 501 }, (_, i) => ({ id: `x${i}`, type: 't' }))), 400],
  ['an id with a line end', '{"id":"a\\r\\nb","type":"t"}', 400],
  ['an id of 256 bytes', JSON.stringify({ id: 'x'.repeat(256), type: 't' }), 400],
  ['too far in the future', JSON.stringify({ id: 'far', type: 't', deliver_at: Math.floor(Date.now() / 1000) + 2000000 }), 400],
  ['over 1 MiB', JSON.stringify({ id: 'huge', type: 't', data: 'x'.repeat(MIB) }), 413],
];
for (const [name, body, status] of refused) {
  test(`${name}: ${status}`, async () => {
    assert.equal((await send(body)).status, status);
  });
}

test('what is not JSON, compressed, or in binary mode: 415; another method: 405', async () => {
  assert.equal((await send('{}', { 'content-type': 'text/plain' })).status, 415);
  assert.equal((await send('{}', { 'content-encoding': 'gzip' })).status, 415);
  assert.equal((await send('{}', { 'ce-specversion': '1.0' })).status, 415);
  const got = await fetch(`${stack.url}/api/v1/events`, { headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual([got.status, got.headers.get('allow')], [405, 'POST']);
});

test('the same event twice is the same event to those who consume it', async () => {
  const world = await Stack.start('events_twice', { publisher: { QUEUE_SERVICE_TOKEN_RAPTOR: token }, withConsumer: false });
  // A subsystem for every internal event: the billing handler archives what is not Stripe's.
  const file = path.join(world.dir, 'subsystems.conf');
  writeFileSync(file, '[billing]\nhandler = billing\nbindings = internal.#\n');
  world.environment.SLUICE_SUBSYSTEMS = file;
  await world.sluice('topology', 'apply');
  await world.startConsumer();
  const own = new Sender(world, { path: '/api/v1/events' });
  const body = JSON.stringify([{ id: 'twice_1', type: 'a.b', occurred_at: 1700000000 }, { id: 'twice_1', type: 'a.b', occurred_at: 1700000000 }]);
  for (let i = 0; i < 3; i += 1) assert.equal((await own.post(body, { authorization: `Bearer ${token}` })).status, 200);
  await until('it is applied', async () => (await world.value("SELECT count(*) FROM sluice_inbox WHERE event_id = 'twice_1'")) === '1');

  // Later: it waits in the broker, and reaches everybody who is bound to it, with its own bytes.
  const at = Math.floor(Date.now() / 1000) + 6;
  const later = JSON.stringify({ id: 'later_1', type: 'sim.networkTypeChange', deliver_at: at });
  assert.equal((await own.post(later, { authorization: `Bearer ${token}` })).status, 200);
  const stored = () => world.query("SELECT encode(body, 'escape'), extract(epoch FROM applied_at) FROM sluice_inbox WHERE event_id = 'later_1'");
  await until('its time has come', async () => (await stored()).length === 1, 60000);
  const [[kept, appliedAt]] = await stored();
  assert.equal(kept, later);
  assert.ok(Number(appliedAt) >= at - 1, `applied ${appliedAt}, asked for ${at}`);
  // A time that has passed is now.
  assert.equal((await own.post(JSON.stringify({ id: 'past_1', type: 'a.b', deliver_at: '2020-01-01T00:00:00Z' }), { authorization: `Bearer ${token}` })).status, 200);
  await until('it is applied', async () => (await world.value("SELECT count(*) FROM sluice_inbox WHERE event_id = 'past_1'")) === '1');
  own.close();
  await world.stop();
});

test('a delayed event that nobody is bound to is caught when its time comes', async () => {
  const at = Math.floor(Date.now() / 1000) + 3;
  assert.equal((await send({ id: 'nobody_1', type: 'no.binding', deliver_at: at })).status, 200);
  const connection = await amqplib.connect(stack.amqpUrl);
  const channel = await connection.createChannel();
  await until('it is in sluice.unrouted', async () => {
    for (;;) {
      const message = await channel.get('sluice.unrouted', { noAck: false });
      if (!message) return false;
      if (message.properties.messageId === 'nobody_1') return true;
    }
  }, 60000);
  await connection.close();
});

test('while the broker is away: 202 from the journal, each event for itself; a delay is kept', async () => {
  const away = await Stack.start('events_away', { withConsumer: false, withPublisher: false });
  Object.assign(away.publisherEnvironment, { QUEUE_SERVICE_TOKEN_RAPTOR: token, AMQP_URL: 'amqp://u:p@127.0.0.1:1', SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' });
  away.spawnPublisher();
  await until('it answers', async () => (await fetch(`${away.url}/readyz`)).status === 200);
  const own = new Sender(away, { path: '/api/v1/events' });
  const at = Math.floor(Date.now() / 1000) + 25; // time enough for another start on a slow machine
  const answer = await own.post(JSON.stringify([{ id: 'away_1', type: 'a.b' }, { id: 'away_2' }, { id: 'away_3', type: 'a.b', deliver_at: at }]), { authorization: `Bearer ${token}` });
  assert.equal(answer.status, 207);
  assert.deepEqual(JSON.parse(answer.body).events.map((one) => [one.status, one.degraded]), [[202, true], [400, undefined], [202, true]]);
  const alone = await own.post(JSON.stringify({ id: 'away_4', type: 'a.b' }), { authorization: `Bearer ${token}` });
  assert.equal(alone.status, 202);
  own.close();
  await away.terminate(away.publisher);

  // The next start finds the broker: what was journaled is published, and what was to wait still waits.
  const late = await Tap.open(away);
  Object.assign(away.publisherEnvironment, { AMQP_URL: away.amqpUrl });
  await away.startPublisher();
  await until('what is due is published', () => ['away_1', 'away_4'].every((id) => late.byId(id).length === 1));
  const early = late.byId('away_3').length;
  assert.ok(early === 0 || Date.now() / 1000 >= at, 'it does not come through sluice.events before its time');
  const connection = await amqplib.connect(away.amqpUrl);
  const channel = await connection.createChannel();
  await until('its time has come', async () => {
    for (;;) {
      const message = await channel.get('sluice.unrouted', { noAck: true });
      if (!message) return false;
      if (message.properties.messageId === 'away_3') return Math.floor(Date.now() / 1000) >= at - 1;
    }
  }, 60000);
  await connection.close();
  await late.close();
  await away.stop();
});

test('paused: our own programs are told to come again', async () => {
  await stack.sluice('ingest', 'pause', '--source', 'internal', '--answer', '429');
  const answer = await send({ id: 'paused_1', type: 't' });
  assert.equal(answer.status, 429);
  assert.ok(answer.headers['retry-after']);
  await stack.sluice('ingest', 'resume', '--source', 'internal');
  assert.equal((await send({ id: 'paused_2', type: 't' })).status, 200);
  accepted.push('paused_2');
});

test('the ledger: what was confirmed was published, and nothing that was refused', async () => {
  await until('every confirmed event is published', () => accepted.every((id) => tap.byId(id).length > 0));
  const known = new Set(accepted);
  for (const { envelope } of tap.messages) assert.ok(known.has(envelope.id), envelope.id);
});
