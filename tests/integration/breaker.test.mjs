// breaker - a type that always fails is held back, unspent, while its neighbours flow; when the cause is mended everything is applied. Three workers share
// one breaker, and other processes hear of it.
import assert from 'node:assert/strict';
import { describe, test, before, after } from 'node:test';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import amqp from 'amqplib';
import { Producer } from './lib/producer.mjs';
import { Stack, freePort, until } from './lib/stack.mjs';

const subsystems = `
[orders]
handler = sql
function = order_apply
bindings = shop.order.#, internal.order.#
refuse-when-open = true
workers = 3
backoff = 1s
breaker_probe = 1s
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
  stack = await Stack.start('breaker', { subsystems, sql, withPublisher: false, consumer: { LOG_LEVEL: 'debug', SLUICE_DB_BREAKER_PROBE: '200ms' }, publisher: { QUEUE_SERVICE_TOKEN_CONSOLE: token } });
  producer = await Producer.connect(stack);
});
after(async () => {
  await producer?.close();
  await stack?.stop();
});

const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);
const refuse = (type, code) => stack.query(`INSERT INTO refused VALUES ('${type}', '${code}')`);
const mend = (type) => stack.query(`DELETE FROM refused WHERE type = '${type}'`);
const publish = (id, type) => producer.publish({ id, type });
const changes = (event, type) => stack.linesOf(stack.consumer, event).filter((line) => line.event_type === type);
const circuit = async (state) => (await stack.metric(`sluice_circuit_state{subsystem="orders",state="${state}"}`, stack.consumerPort)) ?? 0;
const held = (prefix) => stack.linesOf(stack.consumer, 'breaker.held').filter((line) => line.event_id.startsWith(prefix)).length;
// So many more deliveries of these events have gone to the hold lane.
const goRound = async (prefix, deliveries) => {
  const before = held(prefix);
  await until(`${deliveries} more are held`, () => held(prefix) >= before + deliveries, 60000);
};
const isHeld = (type) => changes('breaker.opened', type).length > changes('breaker.closed', type).length;
const isOpen = async () => (await circuit('open')) + (await circuit('half_open')) === 1;
const isClosed = async () => (await circuit('open')) + (await circuit('half_open')) === 0;

// Each with a type of its own, so that they need not wait for each other.
describe('types side by side', { concurrency: true }, () => {
  test('what can never pass is given up four times; the fifth and all after it wait, unspent, until the cause is mended', async () => {
    await refuse('order.one', 'P0001');
    for (let n = 0; n < 4; n += 1) {
      await publish(`one_${n}`, 'order.one');
      await until(`letter ${n}`, async () => (await count(`sluice_dead_letter WHERE event_id = 'one_${n}'`)) === 1);
    }
    for (let n = 4; n < 40; n += 1) await publish(`one_${n}`, 'order.one');
    await until('the breaker is open', () => isHeld('order.one'));
    await publish('other', 'order.other');
    await until('another type flows', async () => (await count("taken WHERE id = 'other'")) === 1);
    await goRound('one_', 40); // by then a probe has failed, and none was given up
    assert.equal(await count("sluice_dead_letter WHERE type = 'order.one'"), 4);
    assert.equal(await count("sluice_attempt WHERE type = 'order.one'"), 4);
    await mend('order.one');
    await until('all of them are applied', async () => (await count("taken WHERE type = 'order.one'")) === 36, 120000);
    assert.equal(await count("taken WHERE type = 'order.one' AND attempt <> 1"), 0);
    assert.equal(await count("sluice_dead_letter WHERE type = 'order.one'"), 4);
    await until('the breaker is closed', () => !isHeld('order.one'));
    assert.equal(changes('breaker.opened', 'order.one').length, 1);
    assert.equal(changes('breaker.closed', 'order.one').length, 1);
  });

  test('a backlog of which one type fails loses nothing: the others are applied at once, the failing ones when mended', async () => {
    await refuse('order.many', '23514');
    await Promise.all(Array.from({ length: 600 }, (_, n) => publish(`many_${n}`, n % 2 === 0 ? 'order.many' : 'order.fine')));
    await until('the fine ones are applied', async () => (await count("taken WHERE type = 'order.fine'")) === 300, 60000);
    await until('it is open', () => isHeld('order.many'));
    assert.ok((await count("sluice_dead_letter WHERE type = 'order.many'")) <= 4);
    assert.equal(await count("taken WHERE type = 'order.many'"), 0);
    await mend('order.many');
    const left = async () => (await count("taken WHERE type = 'order.many'")) + (await count("sluice_dead_letter WHERE type = 'order.many'"));
    await until('all of them are decided', async () => (await left()) === 300, 120000);
    assert.equal(await count("taken WHERE type = 'order.many' AND attempt <> 1"), 0);
  });

  test('held events keep the tries that they had spent', async () => {
    await refuse('order.later', '23503');
    await publish('later_0', 'order.later');
    await until('its first try has failed', async () => (await count("sluice_attempt WHERE event_id = 'later_0'")) >= 1);
    for (let n = 1; n < 5; n += 1) await publish(`later_${n}`, 'order.later');
    await until('it is open', () => isHeld('order.later'));
    await goRound('later_', 5);
    const spent = await count("sluice_attempt WHERE type = 'order.later'");
    await goRound('later_', 5);
    assert.equal(await count("sluice_attempt WHERE type = 'order.later'"), spent);
    await mend('order.later');
    await until('all are applied', async () => (await count("taken WHERE type = 'order.later'")) === 5, 120000);
    assert.equal(await stack.value(`SELECT count(*) FROM taken t WHERE t.attempt <> 1 + (SELECT count(*) FROM sluice_attempt a WHERE a.event_id = t.id)
      AND t.type = 'order.later'`), '0');
    assert.equal(await count("sluice_dead_letter WHERE type = 'order.later'"), 0);
  });

  test('closed by an operator, what fails is given up although it is most of what arrives, and the others flow', async () => {
    await refuse('order.poison', '23514');
    await stack.sluice('breaker', 'close', 'orders', 'order.poison', '--for', '10m', '--reason', 'poison is being given up');
    await Promise.all(Array.from({ length: 120 }, (_, n) => publish(`poison_${n}`, n % 3 === 0 ? 'order.clean' : 'order.poison')));
    await until('the others are applied', async () => (await count("taken WHERE type = 'order.clean'")) === 40, 60000);
    await until('all of it is given up', async () => (await count("sluice_dead_letter WHERE type = 'order.poison'")) === 80, 60000);
    assert.equal(changes('breaker.opened', 'order.poison').length, 0);
    await mend('order.poison');
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
    await goRound('held_', 6); // longer than a probe interval, and none was let through
    assert.equal(await count("taken WHERE type = 'order.held'"), 0);
    await stack.sluice('breaker', 'close', 'orders', 'order.held');
    await until('all are applied', async () => (await count("taken WHERE type = 'order.held' AND attempt = 1")) === 3, 60000);
    await until('it is said', () => changes('breaker.closed', 'order.held').length === 1);
    await until('it is not listed any more', async () => (await listed()) === undefined, 60000);
  });
});

// Both hold the type back although one of them alone saw it fail.
async function shareBreaker(other, port) {
  const openThere = async () => ((await stack.metric('sluice_circuit_state{subsystem="orders",state="open"}', port)) ?? 0)
    + ((await stack.metric('sluice_circuit_state{subsystem="orders",state="half_open"}', port)) ?? 0);
  await until('the second one is ready', () => stack.isReady(port, other));
  await until('no other type is held back any more', isClosed);
  await refuse('order.shared', 'P0001');
  for (let n = 0; (await openThere()) + ((await isOpen()) ? 1 : 0) === 0; n += 1) {
    await publish(`shared_${n}`, 'order.shared');
    await until('it is decided', async () => (await count(`sluice_dead_letter WHERE event_id = 'shared_${n}'`)) === 1 || (await openThere()) > 0 || isOpen(), 60000);
  }
  await until('both hold it back', async () => (await openThere()) === 1 && isOpen());
  await until('both have said so, into one log', () => changes('breaker.opened', 'order.shared').length === 2);
  const said = changes('breaker.opened', 'order.shared');
  assert.equal(said.filter((line) => line.msg.includes('another consumer')).length, 1);
  await mend('order.shared');
  for (let n = 0; n < 20; n += 1) await publish(`mended_${n}`, 'order.shared');
  await until('all are applied', async () => (await count("taken WHERE id LIKE 'mended%'")) === 20, 60000);
  await until('both are closed', async () => {
    await publish(`probe_${Date.now()}`, 'order.shared');
    return (await openThere()) === 0 && isClosed();
  }, 60000);
}

test('what one consumer has found out the others need not: its breaker opens theirs, and each closes its own', async () => {
  const port = await freePort();
  const dir = path.join(stack.dir, 'second');
  mkdirSync(dir);
  const other = stack.spawn('sluice-consumer', { ...stack.consumerEnvironment, SLUICE_METRICS_LISTEN: `127.0.0.1:${port}`, SLUICE_STATE_DIR: dir });
  try {
    await shareBreaker(other, port);
  } finally {
    assert.deepEqual(await stack.terminate(other), { code: 0, signal: null });
  }
});

test('a database that cannot write opens its own breaker: everything waits unspent, one worker tries now and then, and all goes on by itself', async () => {
  await stack.query(`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON sluice_inbox FOR EACH STATEMENT EXECUTE FUNCTION full_disk()`);
  const heldBefore = stack.linesOf(stack.consumer, 'consumer.held').length;
  const spent = await count('sluice_attempt');
  for (let n = 0; n < 200; n += 1) await publish(`disk_${n}`, 'order.disk');
  const state = (name) => stack.metric(`sluice_database_circuit_state{state="${name}"}`, stack.consumerPort);
  await until('it is open', async () => (await state('open')) === 1);
  const row = await until('it is listed', async () => JSON.parse(await stack.sluice('breaker', 'list', '-o', 'json')).find((one) => one.type === '(database)'));
  assert.equal(row.subsystem, '*');
  assert.equal(row.reason, '53100');
  const [opened] = await stack.said(stack.consumer, 'database.opened', 1);
  assert.equal(opened.code, '53100');
  await until('the third probe has failed', () => stack.linesOf(stack.consumer, 'consumer.held').length >= heldBefore + 4, 60000);
  assert.equal(stack.linesOf(stack.consumer, 'database.opened').length, 1);
  assert.equal(await count("taken WHERE type = 'order.disk'"), 0);

  // Tripped by an operator, who cannot write either: it stays so when the cause is gone, everything is kept, and nothing more is taken.
  const channel = await (await amqp.connect(stack.amqpUrl)).createChannel();
  const inHand = () => stack.metric('sluice_consumer_inflight{subsystem="orders"}', stack.consumerPort);
  let published = 200;
  const here = await stack.sluiceWithoutPostgres('breaker', 'trip', '--database', '--reason', 'the disk is being changed');
  assert.match(here, /this machine's consumer alone/);
  const beats = async () => stack.value("SELECT min(seen_at) FROM sluice_consumer WHERE subsystem = 'orders'");
  const aBeat = async () => {
    const seen = await beats();
    await until('time has gone by', async () => (await beats()) !== seen);
  };
  const kept = await until('what comes now stays in the queue, and nothing is on its way any more', async () => {
    for (let n = 0; n < 20; n += 1) await publish(`disk_${published += 1}`, 'order.disk');
    const now = await inHand();
    await aBeat();
    return (await channel.checkQueue('sluice.orders')).messageCount > 0 && (await inHand()) === now && now;
  });
  assert.ok(kept >= 200);
  const database = async (rows) => JSON.parse(await rows).find((one) => one.type === '(database)');
  const byHand = await until('others see it', async () => {
    const one = await database(stack.sluice('breaker', 'list', '-o', 'json'));
    return one?.reason === 'the disk is being changed' && one;
  });
  assert.deepEqual([byHand.subsystem, byHand.state, byHand.probe], ['*', 'open', '']);
  const alone = await database(stack.sluiceWithoutPostgres('breaker', 'list', '-o', 'json'));
  assert.deepEqual([alone.subsystem, alone.state, alone.reason, alone.probe], ['*', 'open', 'the disk is being changed', '']);
  await stack.query('DROP TRIGGER full_disk ON sluice_inbox');
  await aBeat();
  assert.equal(await count("taken WHERE type = 'order.disk'"), 0);
  assert.equal(await inHand(), kept);
  assert.equal(await state('open'), 1);
  const closed = await stack.sluice('breaker', 'close', '--database', '--reason', 'there is room again');
  assert.match(closed, /tried again/);
  await channel.connection.close();
  await until('all are applied', async () => (await count("taken WHERE type = 'order.disk' AND attempt = 1")) === published, 60000);
  await until('it is closed', async () => (await state('closed')) === 1 && (await state('open')) === 0);
  assert.equal((await stack.said(stack.consumer, 'database.closed', 1)).length, 1);
  assert.equal(stack.linesOf(stack.consumer, 'database.opened').length, 2);
  assert.equal(await stack.metric('sluice_consumer_redelivered_total{subsystem="orders"}', stack.consumerPort), 0);
  assert.equal(await count('sluice_attempt'), spent);
  assert.equal(await count("sluice_dead_letter WHERE type = 'order.disk'"), 0);
});

test('tripped for all consumers in the table, until its time is over: one event finds out first', async () => {
  const told = await stack.sluice('breaker', 'trip', '--database', '--for', '8s', '--reason', 'restore is being checked');
  assert.doesNotMatch(told, /until:/);
  const state = (name) => stack.metric(`sluice_database_circuit_state{state="${name}"}`, stack.consumerPort);
  assert.equal(await state('open'), 1);
  for (let n = 0; n < 5; n += 1) await publish(`tripped_${n}`, 'order.tripped');
  await until('all are applied', async () => (await count("taken WHERE type = 'order.tripped' AND attempt = 1")) === 5, 60000);
  await until('it is closed', async () => (await state('closed')) === 1);
  await assert.rejects(stack.sluice('breaker', 'trip', '--database', 'orders'), (error) => error.code === 64 && /no names/.test(error.stderr));
  await assert.rejects(stack.sluice('breaker', 'trip', 'orders'), (error) => error.code === 64 && /or --database/.test(error.stderr));
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
