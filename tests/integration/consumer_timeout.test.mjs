// consumer_timeout - a broker that closes the channel of whoever keeps deliveries too long, and a consumer that cannot apply them for longer than that, under load that goes on:
// it gives them back in time and takes them again, nothing is lost, nothing is applied twice, no attempt is spent.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { test, after, afterEach } from 'node:test';
import { Stack, freePort, until } from './lib/stack.mjs';
import { servers } from './lib/servers.mjs';
import { goOnThrough } from './lib/through.mjs';

const RATE = 20;
let stack;

// For channels that are opened from now on; the broker's own defaults are half an hour and a minute.
const strict = (timeoutMs, lookMs) => servers.rabbitmqctl('eval',
  `ok = application:set_env(rabbit, consumer_timeout, ${timeoutMs}), ok = application:set_env(rabbit, channel_tick_interval, ${lookMs}).`);

after(() => strict(1800000, 60000));
afterEach(async () => {
  await stack?.stop();
  stack = undefined;
});

const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);
const lost = (child) => stack.linesOf(child, 'broker.lost').filter((line) => line.link === 'billing.consume');
const queue = () => stack.api('GET', `/api/queues/${stack.name}/sluice.billing`);
async function nothingIsSpent() {
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
}

// A second consumer of the same queue, with a folder of its own for its log and its state.
async function startIgnorant() {
  const dir = mkdtempSync(path.join(stack.dir, 'other-'));
  const port = await freePort();
  const child = stack.spawn.call({ dir, environment: stack.environment }, 'sluice-consumer',
    { SLUICE_METRICS_LISTEN: `127.0.0.1:${port}`, SLUICE_STATE_DIR: dir, SLUICE_CONSUMER_TIMEOUT: '30m' });
  await until('the other consumer is ready', () => stack.isReady(port, child));
  return child;
}

test('Postgres is away for longer than the timeout: what is held is given back, while a consumer that does not know the timeout loses its channel', async () => {
  await strict(20000, 500);
  stack = await Stack.start('away', { consumer: { SLUICE_CONSUMER_TIMEOUT: '20s' } });
  const ignorant = await startIgnorant();
  try {
    await goOnThrough(stack, 'away', async () => {
      await servers.stop('postgres');
      await stack.said(stack.consumer, 'consumer.given_back', 1);
      await until('the broker closes the channel of the other', () => lost(ignorant).some((line) => /timeout/.test(line.error)), 60000);
      await until('what was given back waits in the queue', async () => (await queue()).messages_ready > 0, 60000);
      assert.deepEqual(lost(stack.consumer), []);
      await servers.start('postgres');
    }, { rate: RATE });
    await nothingIsSpent();
  } finally {
    assert.equal((await stack.terminate(ignorant)).code, 0);
  }
});

test('a table is locked for longer than the timeout: what is held is given back, some is taken again, and all is applied when the lock is gone', async () => {
  await strict(40000, 500);
  stack = await Stack.start('locked', { consumer: { SLUICE_CONSUMER_TIMEOUT: '40s' } });
  await goOnThrough(stack, 'locked', async () => {
    const unlock = await stack.lock('LOCK TABLE billing_customer');
    await until('what is held is given back', () => stack.linesOf(stack.consumer, 'consumer.given_back').length >= 1, 90000);
    await until('it waits in the queue', async () => (await queue()).messages_ready > 0);
    await until('some is taken again', async () => (await queue()).messages_unacknowledged > 0);
    await unlock();
  }, { rate: RATE });
  await nothingIsSpent();
  assert.deepEqual(lost(stack.consumer), []);
});
