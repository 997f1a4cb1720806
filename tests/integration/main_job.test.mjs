// main_job - every event that was answered 200 is one inbox row and, for customers, subscriptions and invoices, a right row.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import { stories, wrongRows } from './lib/events.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const STORIES = 2000; // five events each: 10,000 distinct signed events

let stack;
let sender;
const { events, expected } = stories('m', STORIES, { seed: 20 });

before(async () => {
  stack = await Stack.start('main_job');
  sender = new Sender(stack, { connections: 64 });
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

test('10,000 distinct signed events in random order are all answered 200', async () => {
  const answers = await sender.sendAll(events);
  const statuses = [...answers.values()];
  assert.equal(answers.size, STORIES * 5);
  assert.deepEqual(statuses.filter((status) => status !== 200), []);
});

test('every 200 becomes exactly one inbox row', async () => {
  await until('all events are in the inbox', async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === String(events.length), 120000);
  const stored = new Set((await stack.query('SELECT event_id FROM sluice_inbox')).map(([id]) => id));
  assert.equal(stored.size, events.length);
  assert.ok(events.every((event) => stored.has(event.id)));
});

test('customers, subscriptions with items and invoices with lines hold the latest state', async () => {
  assert.deepEqual(await wrongRows(stack, expected), []);
});

test('the inbox keeps the received bytes', async () => {
  const event = events[17];
  const stored = await stack.value(`SELECT convert_from(body, 'UTF8') FROM sluice_inbox WHERE event_id = '${event.id}'`);
  assert.equal(stored, JSON.stringify(event));
});

test('the same events sent again are answered 200 and change nothing', async () => {
  const fingerprint = await stack.fingerprint();
  const answers = await sender.sendAll(events);
  assert.deepEqual([...answers.values()].filter((status) => status !== 200), []);
  const duplicates = () => stack.metric('sluice_consumer_deliveries_total{subsystem="billing",outcome="duplicate"}', stack.consumerPort);
  await until('all duplicates are settled', async () => (await duplicates()) >= events.length, 120000);
  assert.equal(await stack.fingerprint(), fingerprint);
  assert.equal(await stack.value('SELECT count(*) FROM sluice_dead_letter'), '0');
});

test('the counters agree with what was sent', async () => {
  assert.equal(await stack.metric('sluice_events_received_total{source="stripe",outcome="accepted"}'), events.length * 2);
  assert.equal(await stack.metric('sluice_publish_total{outcome="confirmed"}'), events.length * 2);
});
