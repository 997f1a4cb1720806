// consumer_outages - the consumer's half of a bad night: it is killed at any moment, its database goes away, commits lose their answer. The same rows,
// no attempt spent on what was nobody's fault, nothing given up.
import assert from 'node:assert/strict';
import { test, afterEach } from 'node:test';
import { FaultProxy } from '../outage/lib/faultproxy.mjs';
import { stories, wrongRows } from './lib/events.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { servers } from './lib/servers.mjs';

const isLong = process.env.TEST_LONG === '1';
const STORIES = isLong ? 2000 : 200;
const OUTAGE_MS = isLong ? 600000 : 20000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let stack;
let sender;
let proxy;

afterEach(async () => {
  sender?.close();
  await stack?.stop({ keepVhost: true });
  await proxy?.stop();
  stack = undefined;
  proxy = undefined;
});

const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);
const lines = (event) => stack.logOf(stack.consumer).split('\n').filter((line) => line.includes(`"event":"${event}"`));

// Shuffled stories, every tenth event sent twice, while `fault` happens; then the ledger.
async function applyThrough(name, { fault, seed = 5 }) {
  sender = new Sender(stack, { connections: 16 });
  const { events, expected } = stories(name.slice(0, 2), STORIES, { seed });
  const twice = events.filter((_, n) => n % 10 === 0);
  const sending = sender.deliverAll([...events, ...twice]);
  await fault();
  const { accepted } = await sending;
  assert.equal(accepted.size, events.length);
  await until('every event is in the inbox', async () => (await count('sluice_inbox')) === events.length, isLong ? 600000 : 180000);
  await until('nothing waits in the broker', async () => (await stack.api('GET', `/api/queues/${stack.name}`)).every((queue) => (queue.messages ?? 0) === 0), 60000);
  assert.equal(await count('(SELECT FROM sluice_inbox GROUP BY event_id HAVING count(*) > 1) AS doubled'), 0);
  assert.deepEqual(await wrongRows(stack, expected), []);
  console.log(`${name}: accepted ${accepted.size}, applied ${await count('sluice_inbox')}, applied twice 0, given up ${await count('sluice_dead_letter')}, tries spent ${await count('sluice_attempt')}`);
}

// C1, C2: it dies between commit and acknowledgement, between the copy for a later try and the acknowledgement of the original, anywhere.
test('kill -9 of the consumer again and again while events wait for their parents: each is applied once, in any order, with duplicates', async () => {
  stack = await Stack.start('kill_retry', { consumer: { QUEUE_BACKOFF_DELAY: '1000', QUEUE_DEFAULT_ATTEMPTS: '20' } });
  await stack.query(`ALTER TABLE billing_subscription ADD CONSTRAINT subscription_has_customer
    FOREIGN KEY (account, livemode, customer) REFERENCES billing_customer (account, livemode, id)`);
  await applyThrough('kill_retry', { fault: async () => {
    for (let kill = 0; kill < (isLong ? 20 : 4); kill += 1) {
      const before = await count('sluice_inbox');
      await until('it applies events', async () => (await count('sluice_inbox')) > before || (await count('sluice_inbox')) === STORIES * 5);
      stack.consumer.kill('SIGKILL');
      await stack.consumer.ended;
      await stack.startConsumer();
    }
  } });
  assert.equal(await count('sluice_dead_letter'), 0);
});

// Each SIGTERM gives back what is in hand, and RabbitMQ before 4.3 counts that as a delivery: never towards the limit of one message alone.
test('deployed again and again under load, nobody is parked and no attempt is spent', async () => {
  stack = await Stack.start('deploys');
  await applyThrough('deploys', { fault: async () => {
    for (let deploy = 0; deploy < (isLong ? 30 : 5); deploy += 1) {
      const before = await count('sluice_inbox');
      await until('it applies events', async () => (await count('sluice_inbox')) > before || before === STORIES * 5);
      const end = await stack.terminate(stack.consumer);
      assert.deepEqual(end, { code: 0, signal: null }, stack.logOf(stack.consumer).slice(-2000));
      await stack.startConsumer();
    }
  } });
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
});

// D1, D4, D6: the queue holds, nothing is tried meanwhile.
test('Postgres is down under load: no attempt is spent, nothing is given up, it drains by itself', async () => {
  stack = await Stack.start('pg_down');
  await applyThrough('pg_down', { fault: async () => {
    await until('it applies events', async () => (await count('sluice_inbox')) > 0);
    await servers.stop('postgres');
    await pause(OUTAGE_MS);
    assert.equal(stack.consumer.exitCode, null);
    await servers.start('postgres');
  } });
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
  assert.equal(lines('consumer.delayed').length + lines('consumer.dead_lettered').length, 0);
});

// What has just come back is not met with everything at once.
test('after an outage of Postgres the backlog arrives in steps: 1 event, 8, 64, then whole batches', async () => {
  stack = await Stack.start('slow_start', { withConsumer: false });
  proxy = await FaultProxy.start(Number(new URL(stack.databaseUrl).port));
  const url = new URL(stack.databaseUrl);
  url.port = proxy.port;
  stack.consumerEnvironment.DATABASE_URL = url.toString();
  await stack.startConsumer();
  await proxy.tell('down');
  sender = new Sender(stack, { connections: 16 });
  const { events, expected } = stories('sl', 150, { seed: 5 });
  const { accepted } = await sender.deliverAll(events);
  assert.equal(accepted.size, events.length);
  await until('all of them are in hand', async () => (await stack.metric('sluice_consumer_inflight{subsystem="billing"}', stack.consumerPort)) === events.length);
  await proxy.tell('up');
  await until('every event is in the inbox', async () => (await count('sluice_inbox')) === events.length, 120000);
  const transactions = (await stack.query('SELECT count(*) FROM sluice_inbox GROUP BY applied_at ORDER BY applied_at')).map(([rows]) => Number(rows));
  assert.deepEqual(transactions, [1, 8, 64, 500, events.length - 573]);
  assert.deepEqual(await wrongRows(stack, expected), []);
});

// D2: the server commits, the answer never arrives.
test('connections are cut while commits are on their way: the inbox decides, nothing is applied twice', async () => {
  stack = await Stack.start('commit_lost', { withConsumer: false });
  proxy = await FaultProxy.start(Number(new URL(stack.databaseUrl).port));
  const url = new URL(stack.databaseUrl);
  url.port = proxy.port;
  stack.consumerEnvironment.DATABASE_URL = url.toString();
  await stack.startConsumer();
  await applyThrough('commit_lost', { fault: async () => {
    for (let cut = 0; cut < 2; cut += 1) {
      await until('it is connected', async () => (await stack.metric('sluice_pg_up{link="billing.apply"}', stack.consumerPort)) === 1);
      await proxy.tell('latency 1500'); // what is seen as committed has an answer that is still on its way
      const before = await count('sluice_inbox');
      await until('a batch is committed', async () => (await count('sluice_inbox')) > before, 60000);
      await proxy.tell('reset');
      await proxy.tell('clear');
    }
    await proxy.tell('latency 30');
    for (let cut = 0; cut < (isLong ? 200 : 10); cut += 1) {
      await pause(120 + 37 * (cut % 7));
      await proxy.tell('reset');
    }
    await proxy.tell('clear');
  } });
  const duplicates = await stack.metric('sluice_consumer_deliveries_total{subsystem="billing",outcome="duplicate"}', stack.consumerPort);
  assert.ok(duplicates > STORIES / 2, `${duplicates} were found in the inbox, no more than were sent twice`);
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
});

// D5: two workers in each other's way.
test('four workers on the same rows: contention is settled in the process and costs no attempt', async () => {
  const subsystems = '[billing]\nhandler = billing\nbindings = stripe.#\nworkers = 4\nbatch = 20\n';
  stack = await Stack.start('contention', { subsystems });
  await applyThrough('contention', { fault: async () => {} });
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
});
