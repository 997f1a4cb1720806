// breaker - a type that always fails is held back, unspent, while its neighbours flow; when the cause is mended everything is applied.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import amqp from 'amqplib';
import { Producer } from './lib/producer.mjs';
import { Stack, until } from './lib/stack.mjs';

const subsystems = `
[orders]
handler = sql
function = order_apply
bindings = shop.order.#, internal.order.#
refuse-when-open = true
backoff = 1s
breaker_probe = 2s
`;

// What it refuses is in a table: emptying that mends it.
const sql = `
CREATE TABLE refused(type text PRIMARY KEY, code text);
CREATE TABLE taken(id text PRIMARY KEY, type text, attempt integer);
CREATE FUNCTION order_apply(event_id text, type text, attempt integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE code text := (SELECT r.code FROM refused r WHERE r.type = order_apply.type);
BEGIN
  IF code IS NOT NULL THEN RAISE EXCEPTION 'refused' USING ERRCODE = code; END IF;
  INSERT INTO taken VALUES (event_id, type, attempt);
END $$;
`;

const token = 'tok_of_the_console_0123456789abcdefgh';
let stack;
let producer;

before(async () => {
  stack = await Stack.start('breaker', { subsystems, sql, withPublisher: false, consumer: { LOG_LEVEL: 'debug' }, publisher: { QUEUE_SERVICE_TOKEN_CONSOLE: token } });
  producer = await Producer.connect(stack);
});
after(async () => {
  await producer?.close();
  await stack?.stop();
});

const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);
const refuse = (type, code) => stack.query(`INSERT INTO refused VALUES ('${type}', '${code}')`);
const mend = () => stack.query('DELETE FROM refused');
const publish = (id, type) => producer.publish({ id, type });
const changes = (event, type) => stack.linesOf(stack.consumer, event).filter((line) => line.event_type === type);
const circuit = async (state) => (await stack.metric(`sluice_circuit_state{subsystem="orders",state="${state}"}`, stack.consumerPort)) ?? 0;
const held = async () => (await stack.metric('sluice_consumer_deliveries_total{subsystem="orders",outcome="held"}', stack.consumerPort)) ?? 0;
// So many more deliveries have gone to the hold lane.
const goRound = async (deliveries) => {
  const before = await held();
  await until(`${deliveries} more are held`, async () => (await held()) >= before + deliveries, 60000);
};
const isOpen = async () => (await circuit('open')) + (await circuit('half_open')) === 1;
const isClosed = async () => (await circuit('open')) + (await circuit('half_open')) === 0;

test('what can never pass is given up four times; the fifth and all after it wait, unspent, until the cause is mended', async () => {
  await refuse('order.one', 'P0001');
  for (let n = 0; n < 4; n += 1) {
    await publish(`one_${n}`, 'order.one');
    await until(`letter ${n}`, async () => (await count(`sluice_dead_letter WHERE event_id = 'one_${n}'`)) === 1);
  }
  for (let n = 4; n < 40; n += 1) await publish(`one_${n}`, 'order.one');
  await until('the breaker is open', isOpen);
  await publish('other', 'order.other');
  await until('another type flows', async () => (await count("taken WHERE id = 'other'")) === 1);
  await goRound(40); // by then a probe has failed, and none was given up
  assert.equal(await count("sluice_dead_letter WHERE type = 'order.one'"), 4);
  assert.equal(await count("sluice_attempt WHERE type = 'order.one'"), 4);
  await mend();
  await until('all of them are applied', async () => (await count("taken WHERE type = 'order.one'")) === 36, 120000);
  assert.equal(await count("taken WHERE type = 'order.one' AND attempt <> 1"), 0);
  assert.equal(await count("sluice_dead_letter WHERE type = 'order.one'"), 4);
  await until('the breaker is closed', isClosed);
  assert.equal(changes('breaker.opened', 'order.one').length, 1);
  assert.equal(changes('breaker.closed', 'order.one').length, 1);
});

test('a backlog of which one type fails loses nothing: the others are applied at once, the failing ones when mended', async () => {
  await refuse('order.many', '23514');
  await Promise.all(Array.from({ length: 600 }, (_, n) => publish(`many_${n}`, n % 2 === 0 ? 'order.many' : 'order.fine')));
  await until('the fine ones are applied', async () => (await count("taken WHERE type = 'order.fine'")) === 300, 60000);
  await until('it is open', isOpen);
  assert.ok((await count("sluice_dead_letter WHERE type = 'order.many'")) <= 4);
  assert.equal(await count("taken WHERE type = 'order.many'"), 0);
  await mend();
  const left = async () => (await count("taken WHERE type = 'order.many'")) + (await count("sluice_dead_letter WHERE type = 'order.many'"));
  await until('all of them are decided', async () => (await left()) === 300, 120000);
  assert.equal(await count("taken WHERE type = 'order.many' AND attempt <> 1"), 0);
});

test('held events keep the tries that they had spent', async () => {
  await refuse('order.later', '23503');
  await publish('later_0', 'order.later');
  await until('its first try has failed', async () => (await count("sluice_attempt WHERE event_id = 'later_0'")) === 1);
  for (let n = 1; n < 5; n += 1) await publish(`later_${n}`, 'order.later');
  await until('it is open', isOpen);
  await goRound(8);
  const spent = await count("sluice_attempt WHERE type = 'order.later'");
  await goRound(8);
  assert.equal(await count("sluice_attempt WHERE type = 'order.later'"), spent);
  await mend();
  await until('all are applied', async () => (await count("taken WHERE type = 'order.later'")) === 5, 120000);
  assert.equal(await stack.value(`SELECT count(*) FROM taken t WHERE t.attempt <> 1 + (SELECT count(*) FROM sluice_attempt a WHERE a.event_id = t.id)
    AND t.type = 'order.later'`), '0');
  assert.equal(await count("sluice_dead_letter WHERE type = 'order.later'"), 0);
});

test('an operator holds a type back, sees it, and closes it again', async () => {
  const trip = await stack.sluice('breaker', 'trip', 'orders', 'order.held', '--reason', 'table is being rebuilt');
  assert.match(trip, /sluice breaker close orders order\.held/);
  await until('it is said', () => changes('breaker.opened', 'order.held').length === 1);
  for (let n = 0; n < 3; n += 1) await publish(`held_${n}`, 'order.held');
  await publish('free', 'order.free');
  await until('another type flows', async () => (await count("taken WHERE id = 'free'")) === 1);
  const listed = async () => JSON.parse(await stack.sluice('breaker', 'list', 'orders', '-o', 'json')).find((one) => one.type === 'order.held');
  await until('the consumer shows it', async () => (await listed())?.state === 'open');
  assert.equal((await listed()).reason, 'table is being rebuilt');
  await goRound(6); // longer than a probe interval, and none was let through
  assert.equal(await count("taken WHERE type = 'order.held'"), 0);
  await stack.sluice('breaker', 'close', 'orders', 'order.held');
  await until('all are applied', async () => (await count("taken WHERE type = 'order.held' AND attempt = 1")) === 3, 60000);
  assert.equal(changes('breaker.closed', 'order.held').length, 1);
  await until('it is not listed any more', async () => (await listed()) === undefined, 60000);
});

test('nothing is left in a queue', async () => {
  const channel = await (await amqp.connect(stack.amqpUrl)).createChannel();
  for (const queue of ['sluice.orders', 'sluice.orders.parked', 'sluice.unrouted']) {
    await until(`${queue} is empty`, async () => (await channel.checkQueue(queue)).messageCount === 0);
  }
  await channel.connection.close();
});

test('while the breaker is open our own programs are told so, for that type alone; when it closes the type is taken again', async () => {
  const send = async (...events) => {
    const answer = await fetch(`${stack.url}/api/v1/events`, {
      method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(events.length === 1 ? events[0] : events) });
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body: await answer.json() };
  };
  await stack.startPublisher();
  await until('nothing is held back yet', async () => (await send({ id: 'asked_0', type: 'order.asked', data: {} })).status === 200);
  await stack.sluice('breaker', 'trip', 'orders', 'order.asked', '--reason', 'a test');
  const refused = await until('it is refused', async () => {
    const answer = await send({ id: 'asked_1', type: 'order.asked', data: {} });
    return answer.status === 503 && answer;
  });
  assert.match(refused.body.detail ?? refused.body.title, /breaker is open/);
  assert.ok(Number(refused.retryAfter) > 0);
  const both = await send({ id: 'asked_2', type: 'order.asked', data: {} }, { id: 'other_2', type: 'order.welcome', data: {} });
  assert.equal(both.status, 207);
  assert.deepEqual(both.body.events.map((event) => event.status), [503, 200]);
  assert.ok((await stack.metric('sluice_events_received_total{source="internal",outcome="held_back"}')) >= 2);
  await stack.sluice('breaker', 'close', 'orders', 'order.asked', '--reason', 'mended');
  await until('it is taken again', async () => (await send({ id: 'asked_3', type: 'order.asked', data: {} })).status === 200);
  await until('it is applied', async () => (await count("taken WHERE id = 'asked_3'")) === 1);
});
