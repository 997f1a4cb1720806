// burst - what meets a frozen broker or a stalled disk all at once: everything is answered in time, and 503 only when the disk cannot follow.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, afterEach } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { servers } from './lib/servers.mjs';
import { asShipped, Stack, until } from './lib/stack.mjs';

const DURABLE = { SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' }; // the tests' folder may be a tmpfs
const CONNECTIONS = 512;
let stack;
let sender;
let extra = [];

afterEach(async () => {
  sender?.close();
  for (const undo of extra.reverse()) await undo();
  extra = [];
  await stack?.stop({ keepVhost: true });
  stack = undefined;
});

const body = (id) => JSON.stringify({ id, type: 'x.burst', created: 1700000000, data: 'x'.repeat(3000) });
const applied = async () => Number(await stack.value('SELECT count(*) FROM sluice_inbox'));

test('512 events of 3 KB are in flight when the broker freezes: each gets its 202 in time, and all arrive', async () => {
  stack = await Stack.start('burst', { publisher: { ...asShipped, ...DURABLE } });
  sender = new Sender(stack, { connections: CONNECTIONS });
  // Every connection is open, and the broker's own buffers play no part: nothing of the burst is confirmed.
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => sender.signed(body(`evt_warm_${i}`))));
  await until('the broker is there', async () => (await stack.metric('sluice_degraded')) === 0); // for a slow one these were too many at once
  const journaled = async () => (await stack.metric('sluice_events_received_total{source="stripe",outcome="journaled"}')) ?? 0;
  const before = await journaled();
  const thaw = await servers.freeze('rabbitmq');
  extra.push(thaw);
  const answers = [];
  for (const round of ['in_flight', 'known_away']) {
    answers.push(...await Promise.all(Array.from({ length: CONNECTIONS }, async (_, i) => {
      const { status } = await sender.signed(body(`evt_${round}_${i}`));
      return { round, status };
    })));
  }
  assert.deepEqual(answers.filter(({ status }) => status !== 202), []); // later than SLUICE_ANSWER_TIMEOUT, by the publisher's clock, it would be 503
  assert.equal((await journaled()) - before, 2 * CONNECTIONS);
  thaw();
  await until('all of them are applied', async () => (await applied()) === 3 * CONNECTIONS, 90000);
});

test('a disk that stops answering: 503 in time, nothing is taken meanwhile, and what it kept after all is published', async () => {
  stack = await Stack.start('stall', { withPublisher: false });
  sender = new Sender(stack, { connections: 8 });
  const gate = path.join(stack.dir, 'stall');
  stack.publisherEnvironment = {
    ...stack.publisherEnvironment, ...DURABLE, SLUICE_CONFIRM_TIMEOUT: '300ms', SLUICE_ANSWER_TIMEOUT: '4s', STALL_SYNC: gate,
    LD_PRELOAD: path.join(process.env.SLUICE_BIN, '../tests/libstall_sync.so'), ASAN_OPTIONS: `${stack.environment.ASAN_OPTIONS}:verify_asan_link_order=0`,
  };
  await stack.startPublisher();
  await servers.stop('rabbitmq');
  extra.push(() => servers.start('rabbitmq'));
  assert.equal((await until('an event is journaled', async () => {
    const answer = await sender.signed(body('evt_before'));
    return answer.status === 202 && answer;
  })).status, 202);

  const refused = async () => (await stack.metric('sluice_events_received_total{source="stripe",outcome="late"}')) ?? 0;
  const [before, lines] = [await refused(), stack.linesOf(stack.publisher, 'publish.refused').length];
  writeFileSync(gate, '');
  const caught = await Promise.all(Array.from({ length: 8 }, (_, i) => sender.signed(body(`evt_caught_${i}`))));
  for (const answer of caught) {
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers['retry-after']) > 0);
  }
  await until('the journal is known to be slow', async () => JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json')).journal.state === 'slow');
  assert.equal((await sender.signed(body('evt_refused'))).status, 503); // at once: nothing is queued behind a disk that stands still
  assert.equal((await stack.said(stack.publisher, 'publish.refused', lines + 9)).length, lines + 9);
  assert.equal((await refused()) - before, 8);

  rmSync(gate);
  await until('the disk has kept what it was given', async () => (await stack.metric('sluice_events_late_total{kept="journal"}')) === before + 8);
  assert.equal((await until('events are journaled again', async () => {
    const answer = await sender.signed(body('evt_after'));
    return answer.status === 202 && answer;
  })).status, 202);
  const again = await Promise.all(Array.from({ length: 8 }, (_, i) => sender.signed(body(`evt_caught_${i}`)))); // their sender tries again
  assert.deepEqual(again.map(({ status }) => status), Array(8).fill(202));
  await servers.start('rabbitmq');
  await until('each is applied once', async () => (await applied()) === 10, 90000);
});
