// bad_night - programs and servers are killed in the middle of a delivery; Stripe's retries and the inbox lead to the same end state.
import assert from 'node:assert/strict';
import { test, afterEach } from 'node:test';
import { stories, wrongRows } from './lib/events.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { servers } from './lib/servers.mjs';

const STORIES = Number(process.env.SLUICE_BAD_NIGHT_STORIES ?? 400);
let stack;
let sender;

afterEach(async () => {
  sender?.close();
  await stack?.stop({ keepVhost: true });
  stack = undefined;
});

const applied = async () => Number(await stack.value('SELECT count(*) FROM sluice_inbox'));

// Delivers all stories while `fault` happens once a quarter has been accepted; then checks the ledger.
async function deliverThrough(name, fault) {
  stack = await Stack.start(name);
  sender = new Sender(stack, { connections: 16 });
  const { events, expected } = stories(name.slice(0, 2), STORIES, { seed: 7 });
  const quarter = Math.floor(events.length / 4);
  const first = await sender.deliverAll(events.slice(0, quarter));
  let isDelivered = false;
  const delivering = sender.deliverAll(events.slice(quarter)).finally(() => { isDelivered = true; });
  const [, rest] = await Promise.all([fault(() => isDelivered), delivering]);
  const accepted = new Set([...first.accepted, ...rest.accepted]);

  assert.equal(accepted.size, events.length);
  await until('every accepted event is in the inbox', async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === String(events.length), 120000);
  const stored = (await stack.query('SELECT event_id, count(*) FROM sluice_inbox GROUP BY 1')).map(([id, count]) => [id, Number(count)]);
  const lost = [...accepted].filter((id) => !stored.some(([one]) => one === id)).length;
  const doubled = stored.filter(([, count]) => count > 1).length;
  const unexpected = stored.filter(([id]) => !accepted.has(id)).length;
  const { ledger } = rest;
  console.log(`${name}: attempted ${first.ledger.attempts + ledger.attempts}, acknowledged ${accepted.size}, lost ${lost}, ` +
    `applied twice ${doubled}, unexpected ${unexpected}, refused ${ledger.refused}, unanswered ${ledger.unanswered}`);
  assert.deepEqual({ lost, doubled, unexpected }, { lost: 0, doubled: 0, unexpected: 0 });
  assert.deepEqual(await wrongRows(stack, expected), []);
}

test('kill -9 of the consumer, three times', () =>
  deliverThrough('kill_consumer', async () => {
    for (let i = 0; i < 3; i += 1) {
      const before = await applied();
      await until('it applies events, or has them all', async () => before === STORIES * 5 || (await applied()) > before);
      stack.consumer.kill('SIGKILL');
      await stack.consumer.ended;
      await stack.startConsumer();
    }
  }));

test('kill -9 of the publisher, three times', () =>
  deliverThrough('kill_publisher', async (isDelivered) => {
    for (let i = 0; i < 3; i += 1) {
      await until('it confirms events, or has all of them', async () => isDelivered() || ((await stack.metric('sluice_publish_total{outcome="confirmed"}')) ?? 0) > 50);
      stack.publisher.kill('SIGKILL');
      await stack.publisher.ended;
      await stack.startPublisher();
    }
  }));

test('the broker is killed and comes back', () =>
  deliverThrough('kill_broker', async () => {
    await servers.kill('rabbitmq');
    await until('the publisher is ready again', () => stack.isReady(stack.httpPort, stack.publisher), 60000);
  }));

test('Postgres is killed and comes back', () =>
  deliverThrough('kill_postgres', async () => {
    await servers.kill('postgres');
    await until('the consumer applies again', async () => (await stack.metric('sluice_pg_up', stack.consumerPort)) >= 1, 60000);
  }));

test('SIGTERM under load answers what it took and loses nothing', () =>
  deliverThrough('drain', async () => {
    for (const restart of ['publisher', 'consumer']) {
      const child = stack[restart];
      const end = await stack.terminate(child);
      assert.deepEqual(end, { code: 0, signal: null }, stack.logOf(child).slice(-2000));
      await (restart === 'publisher' ? stack.startPublisher() : stack.startConsumer());
    }
  }));
