// degraded - the broker is away: events are kept, said so, and published when it is back; nothing is lost and nothing waits.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test, afterEach } from 'node:test';
import { stories, wrongRows } from './lib/events.mjs';
import { Sender } from './lib/sender.mjs';
import { servers } from './lib/servers.mjs';
import { asShipped, Stack, until } from './lib/stack.mjs';

const DURABLE = { SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' }; // the tests' folder may be a tmpfs
let stack;
let sender;

afterEach(async () => {
  sender?.close();
  await servers.start('rabbitmq');
  await stack?.stop({ keepVhost: true });
  stack = undefined;
});

const health = async () => (await (await fetch(`${stack.url}/health`)).json()).status;
const lines = (event) => stack.linesOf(stack.publisher, event);
const allLines = async (event, count) => {
  const written = await stack.said(stack.publisher, event, count);
  assert.equal(written.length, count);
  return written;
};
const inboxHas = (count) => until(`${count} events are in the inbox`, async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === String(count), 120000);

async function begin(name, publisher, count) {
  stack = await Stack.start(name, { publisher: { ...asShipped, ...DURABLE, ...publisher } });
  sender = new Sender(stack, { connections: 16 });
  return stories(name.slice(0, 2), count, { seed: 3 });
}

async function stopBroker() {
  await servers.stop('rabbitmq');
  await until('the publisher says it is degraded', async () => (await health()) === 'degraded');
}

test('journal: 202 while the broker is away, one line each, and every row after it came back', async () => {
  const { events, expected } = await begin('journal', {}, 100);
  await stopBroker();
  const answers = await sender.sendAll(events);
  assert.deepEqual([...answers.values()].filter((status) => status !== 202), []);
  const answer = await sender.signed(JSON.stringify({ id: 'evt_one_more', type: 'x.one_more' }));
  assert.match(answer.body, /^\{"received":true,"id":"evt_one_more","degraded":true(,"durable":false)?\}$/);
  assert.equal((await fetch(`${stack.url}/readyz`)).status, 200);

  const told = await allLines('publish.journaled', events.length + 1);
  for (const field of ['event_id', 'event_type', 'source', 'body_bytes', 'body_sha256', 'reason']) assert.ok(told.every((line) => line[field] !== undefined), field);
  assert.ok(told.every((line) => line.degraded === true && line.kept === 'journal' && line.level === 'warn'));
  assert.deepEqual(new Set(told.map((line) => line.event_id)), new Set([...events.map((event) => event.id), 'evt_one_more']));

  await servers.start('rabbitmq');
  await inboxHas(events.length + 1);
  assert.deepEqual(await wrongRows(stack, expected), []);
  await until('the publisher says it is well', async () => (await health()) === 'ok');
  await until('the journal is empty', async () => (await stack.metric('sluice_journal_events')) === 0);
});

test('journal: what was answered 202 survives kill -9 of the publisher', async () => {
  const { events, expected } = await begin('killed', {}, 60);
  await stopBroker();
  const half = events.length / 2;
  const answers = await sender.sendAll(events.slice(0, half));
  assert.deepEqual([...answers.values()].filter((status) => status !== 202), []);
  stack.publisher.kill('SIGKILL');
  await stack.publisher.ended;
  stack.publisher = stack.spawn('sluice-publisher', stack.publisherEnvironment);
  await until('the publisher is ready again, without a broker', () => stack.isReady(stack.httpPort, stack.publisher));
  const rest = await sender.sendAll(events.slice(half));
  assert.deepEqual([...rest.values()].filter((status) => status !== 202), []);
  await servers.start('rabbitmq');
  await inboxHas(events.length);
  assert.deepEqual(await wrongRows(stack, expected), []);
});

test('drop: 202 that says it is not stored, and a line in the drop log', async () => {
  const { events } = await begin('drop', { SLUICE_DEGRADED_POLICY: 'stripe=drop', EVENTBUS_DEGRADED_LOG_LEVEL: 'error' }, 4);
  await stopBroker();
  const answers = await sender.sendAll(events);
  assert.deepEqual([...answers.values()].filter((status) => status !== 202), []);
  assert.match((await sender.signed('{"id":"evt_dropped","type":"x.dropped"}')).body, /"degraded":true,"stored":false\}$/);
  const dropped = readFileSync(path.join(stack.dir, 'drops.jsonl'), 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  assert.deepEqual(new Set(dropped.map((line) => line.id)), new Set([...events.map((event) => event.id), 'evt_dropped']));
  const told = await allLines('publish.dropped', events.length + 1);
  assert.ok(told.every((line) => line.kept === 'none' && line.level === 'error'));
});

test('reject: 503 at once, with Retry-After', async () => {
  const { events } = await begin('reject', { SLUICE_DEGRADED_POLICY: 'reject' }, 4);
  await stopBroker();
  const answer = await sender.signed(JSON.stringify(events[0]));
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  assert.equal((await fetch(`${stack.url}/readyz`)).status, 503);
});

test('journal on storage that a restart empties: refused unless it is allowed, and the start says so', async () => {
  const volatile = mkdtempSync('/dev/shm/sluice-test-');
  try {
    const { events } = await begin('volatile', { SLUICE_STATE_DIR: volatile, SLUICE_JOURNAL_ALLOW_VOLATILE: 'false' }, 4);
    await until('the start says so', () => /SLUICE_JOURNAL_ALLOW_VOLATILE/.test(stack.logOf(stack.publisher)));
    await stopBroker();
    assert.equal((await sender.signed(JSON.stringify(events[0]))).status, 503);
  } finally {
    rmSync(volatile, { recursive: true, force: true });
  }
});

test('a frozen broker: every answer within 5 s, and what was answered 2xx arrives', async () => {
  const { events, expected } = await begin('frozen', {}, 40);
  const thaw = await servers.freeze('rabbitmq');
  try {
    await Promise.all(Array.from({ length: 16 }, async (_, lane) => {
      for (let i = lane; i < events.length; i += 16) {
        // 202: later than SLUICE_ANSWER_TIMEOUT, by the publisher's clock, it would be 503. Ours also counts how long this machine takes to tell us.
        assert.equal((await sender.signed(JSON.stringify(events[i]))).status, 202);
      }
    }));
  } finally {
    thaw();
  }
  await inboxHas(events.length);
  assert.deepEqual(await wrongRows(stack, expected), []);
});
