// accounts - every request is in the books once: what was received equals what was done about it, in the metrics, the journal, the log and at Sentry.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test, afterEach } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { servers } from './lib/servers.mjs';
import { Stack, until } from './lib/stack.mjs';

let stack;
let sender;
let sentry;

afterEach(async () => {
  sender?.close();
  sentry?.close();
  await servers.start('rabbitmq');
  await stack?.stop({ keepVhost: true });
  stack = undefined;
});

// {name: {labels: value}} of everything the publisher counts.
async function books() {
  const text = await (await fetch(`http://127.0.0.1:${stack.metricsPort}/metrics`)).text();
  const all = {};
  for (const line of text.split('\n')) {
    const [, name, labels, value] = line.match(/^(\w+)(?:\{(.*)\})? (\S+)$/) ?? [];
    if (name !== undefined) (all[name] ??= {})[labels ?? ''] = Number(value);
  }
  const sum = (name, part = '') => Object.entries(all[name] ?? {}).reduce((total, [labels, value]) => total + (labels.includes(part) ? value : 0), 0);
  return {
    taken: sum('sluice_events_taken_total'),
    answered: sum('sluice_events_received_total'),
    outcome: (outcome) => sum('sluice_events_received_total', `outcome="${outcome}"`),
    confirmed: sum('sluice_publish_total', 'outcome="confirmed"'),
    lateAtBroker: sum('sluice_events_late_total', 'kept="broker"'),
    lateInJournal: sum('sluice_events_late_total', 'kept="journal"'),
    found: sum('sluice_journal_found_total'),
    appended: sum('sluice_journal_appended_total'),
    replayed: sum('sluice_journal_replayed_total'),
    poisoned: sum('sluice_journal_poisoned_total'),
    missing: sum('sluice_journal_missing_total'),
    waiting: sum('sluice_journal_events'),
    inflight: sum('sluice_publish_inflight'),
  };
}

// The identities hold whenever nothing is under way.
async function balanced() {
  return until('the books balance', async () => {
    const now = await books();
    assert.equal(now.inflight, 0);
    assert.equal(now.answered, now.taken);
    assert.equal(now.appended, now.outcome('journaled') + now.lateInJournal);
    assert.equal(now.found + now.appended, now.replayed + now.poisoned + now.waiting);
    assert.equal(now.confirmed, now.outcome('accepted') + now.lateAtBroker + now.replayed);
    assert.equal(now.missing, 0);
    return now;
  }, 20000);
}

// A Sentry that keeps what it is sent; resolves with the sum of the counts over the distinct events tagged degraded.
async function sentrySink() {
  const events = new Map();
  sentry = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const event = JSON.parse(Buffer.concat(parts).toString().split('\n')[2]);
      events.set(event.event_id, event);
      response.end('{}');
    });
  });
  await new Promise((resolve) => sentry.listen(0, '127.0.0.1', resolve));
  return {
    dsn: `http://public@127.0.0.1:${sentry.address().port}/7`,
    sum: () => [...events.values()].filter((event) => event.tags['eventbus.status'] === 'degraded').reduce((total, event) => total + event.extra.count, 0),
  };
}

async function restart(environment) {
  const end = await stack.terminate(stack.publisher);
  assert.equal(end.code, 0, stack.logOf(stack.publisher).slice(-2000));
  stack.publisherEnvironment = { ...stack.publisherEnvironment, ...environment };
  stack.spawnPublisher();
  // Not necessarily ready: with nobody to take an event it says that it is not.
  await until('the publisher answers', async () => (await fetch(`${stack.url}/livez`)).status === 200);
}

let last = 0;
async function send(count, status) {
  for (let i = 0; i < count; i += 1) {
    last += 1;
    assert.equal((await sender.signed(JSON.stringify({ id: `evt_account_${last}`, type: 'x.account', created: 1700000000 }))).status, status);
  }
}

test('received = confirmed + journaled + dropped + rejected + refused, journaled = replayed + waiting + set aside, and Sentry has the same sum', async () => {
  const sink = await sentrySink();
  stack = await Stack.start('accounts', { withConsumer: false, publisher: { SLUICE_JOURNAL_ALLOW_VOLATILE: 'true', SENTRY_DSN: sink.dsn } });
  sender = new Sender(stack, { connections: 4 });
  await send(30, 200);
  for (let i = 0; i < 4; i += 1) assert.equal((await sender.post('{}', { 'stripe-signature': 't=1,v1=00' })).status, 400);
  assert.equal((await sender.signed('')).status, 400);
  assert.equal((await sender.signed('{}', { 'content-encoding': 'gzip' })).status, 415);
  await stack.sluice('ingest', 'pause', '--answer', '429');
  await send(3, 429);
  await stack.sluice('ingest', 'resume');
  let now = await balanced();
  assert.deepEqual([now.taken, now.outcome('accepted'), now.outcome('bad_signature'), now.outcome('malformed'), now.outcome('paused')], [39, 30, 4, 2, 3]);

  await servers.stop('rabbitmq');
  await until('the publisher knows', async () => (await stack.metric('sluice_degraded')) === 1);
  await send(25, 202);
  now = await balanced();
  assert.deepEqual([now.taken, now.appended, now.waiting], [64, 25, 25]);

  await restart({ SLUICE_DEGRADED_POLICY: 'drop' });
  await send(7, 202);
  now = await balanced();
  assert.deepEqual([now.taken, now.outcome('dropped'), now.found, now.waiting], [7, 7, 25, 25]);
  await restart({ SLUICE_DEGRADED_POLICY: 'reject' });
  await send(2, 503);
  now = await balanced();
  assert.deepEqual([now.taken, now.outcome('unavailable'), now.found], [2, 2, 25]);

  await restart({ SLUICE_DEGRADED_POLICY: 'journal' });
  await servers.start('rabbitmq');
  await until('the publisher is well', async () => (await stack.metric('sluice_degraded')) === 0);
  await until('the journal is empty', async () => (await stack.metric('sluice_journal_events')) === 0); // and so the queues take events again
  await send(5, 200);
  now = await balanced();
  assert.deepEqual([now.outcome('accepted'), now.found, now.replayed, now.confirmed], [5, 25, 25, 30]);

  // Counts that are not sent yet go out with the program.
  await stack.terminate(stack.publisher);
  const told = stack.linesOf(stack.publisher, 'publish.journaled').length + stack.linesOf(stack.publisher, 'publish.dropped').length;
  assert.equal(told, 32);
  assert.equal(sink.sum(), told);
});
