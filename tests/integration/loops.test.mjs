// loops - a publisher with several event loops is one publisher: it counts, degrades, journals, reloads, pauses and drains as one, and loses nothing.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, afterEach } from 'node:test';
import { stories, wrongRows } from './lib/events.mjs';
import { Sender, signature } from './lib/sender.mjs';
import { servers } from './lib/servers.mjs';
import { Stack, until } from './lib/stack.mjs';

const DURABLE = { SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' }; // the tests' folder may be a tmpfs
const LOOPS = 2;
const CONNECTIONS = 32; // the chance that the kernel gives all of them to one loop is 2^-31
let stack;
let sender;
let keepVhost;

afterEach(async () => {
  sender?.close();
  await servers.start('rabbitmq');
  await stack?.stop({ keepVhost });
  stack = undefined;
});

const lines = (event) => stack.linesOf(stack.publisher, event);
const health = async () => (await (await fetch(`${stack.url}/health`)).json()).status;
const counted = (outcome) => stack.metric(`sluice_events_received_total{source="stripe",outcome="${outcome}"}`);
const inboxHas = (count) => until(`${count} events are in the inbox`, async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === String(count), 120000);
const links = () => stack.api('GET', `/api/vhosts/${stack.name}/connections`)
  .then((all) => all.filter((one) => one.client_properties?.connection_name?.startsWith('sluice-publisher/')));

// Each on a connection of its own, so that every loop is asked.
async function everywhere(ask) {
  const asked = Array.from({ length: CONNECTIONS }, async () => {
    const one = new Sender(stack, { connections: 1 });
    try {
      return await ask(one);
    } finally {
      one.close();
    }
  });
  return [...new Set(await Promise.all(asked))];
}

async function begin(name, { publisher = {}, ...options } = {}) {
  keepVhost = false;
  stack = await Stack.start(name, { ...options, withPublisher: false, publisher: { ...DURABLE, ...publisher } });
  stack.publisherWrapper = ['sh', '-c', `exec "$0" --loops ${LOOPS}`];
  await stack.startPublisher();
  sender = new Sender(stack, { connections: CONNECTIONS });
}

test('every loop takes events, each with a link of its own, and the counters are those of all', async () => {
  await begin('lanes');
  assert.deepEqual((await stack.said(stack.publisher, 'process.started', 1)).map((line) => line.loops), [LOOPS]);
  const { events, expected } = stories('la', 400, { seed: 5 });
  const answers = await sender.sendAll(events);
  assert.deepEqual([...answers.values()].filter((status) => status !== 200), []);
  await inboxHas(events.length);
  assert.deepEqual(await wrongRows(stack, expected), []);
  assert.equal(await counted('accepted'), events.length);
  assert.equal(await stack.metric('sluice_events_taken_total{source="stripe"}'), events.length);
  assert.equal(await stack.metric('sluice_publish_total{outcome="confirmed"}'), events.length);
  assert.equal(await stack.metric('sluice_publish_inflight'), 0);
  // A loop that took no event has sent only what a link needs.
  await until('both links carried events', async () => {
    const all = await links();
    return all.length === LOOPS && all.every((one) => one.recv_oct > 20 * 1024);
  });
  assert.equal((await links()).filter((one) => one.client_properties.connection_name.endsWith('/1')).length, 1);
});

test('without a broker every loop degrades and journals; all of it is published once it is back', async () => {
  await begin('dark');
  keepVhost = true;
  const { events, expected } = stories('lb', 300, { seed: 6 });
  const half = events.length / 2;
  const before = await sender.sendAll(events.slice(0, half));
  assert.deepEqual([...before.values()].filter((status) => status !== 200), []);
  await servers.stop('rabbitmq');
  await until('the publisher says it is degraded', async () => (await health()) === 'degraded');
  await until('every loop has lost its link', () => new Set(lines('broker.lost').map((line) => line.loop)).size === LOOPS);
  assert.deepEqual(await everywhere(health), ['degraded']);
  const kept = await sender.sendAll(events.slice(half));
  assert.deepEqual([...kept.values()].filter((status) => status !== 202), []);
  const told = await stack.said(stack.publisher, 'publish.journaled', half);
  assert.deepEqual(new Set(told.map((line) => line.event_id)), new Set(kept.keys()));
  assert.equal(told.length, half);
  assert.equal(await stack.metric('sluice_journal_appended_total'), half);
  assert.equal(await counted('journaled'), half);
  assert.deepEqual(await everywhere(async () => (await fetch(`${stack.url}/readyz`)).status), [200]);
  assert.equal(JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json')).journal.events, half);

  await servers.start('rabbitmq');
  await inboxHas(events.length);
  assert.deepEqual(await wrongRows(stack, expected), []);
  await until('the publisher says it is well', async () => (await health()) === 'ok');
  await until('the journal is empty', async () => (await stack.metric('sluice_journal_events')) === 0);
  assert.equal(await stack.metric('sluice_journal_replayed_total'), half);
  assert.equal((await stack.said(stack.publisher, 'broker.connected', 2)).length, 2); // the start, and the end of the outage: not one for each loop
});

test('one link alone is lost under load: nothing else is, and it comes back', async () => {
  await begin('one');
  const { events, expected } = stories('lc', 400, { seed: 7 });
  const sent = sender.deliverAll(events);
  const second = await until('the link of the second loop', async () => (await links()).find((one) => one.client_properties.connection_name.endsWith('/1')));
  await stack.api('DELETE', `/api/connections/${encodeURIComponent(second.name)}`);
  await until('it is said', () => lines('broker.lost').length > 0);
  assert.deepEqual([...new Set(lines('broker.lost').map((line) => line.loop))], [1]);
  const { accepted } = await sent;
  assert.equal(accepted.size, events.length);
  await inboxHas(events.length);
  assert.deepEqual(await wrongRows(stack, expected), []);
  await until('the publisher says it is well', async () => (await health()) === 'ok');
  assert.equal(await stack.metric('sluice_broker_up'), 1);
});

test('SIGHUP changes the secret for every loop at once; a pause holds for every loop', async () => {
  const [first, second] = [0, 1].map(() => `whsec_${randomBytes(24).toString('hex')}`);
  await begin('reload', { withConsumer: false });
  const file = path.join(stack.dir, 'secret');
  const put = (content) => {
    writeFileSync(`${file}.new`, content);
    renameSync(`${file}.new`, file);
  };
  const reload = async () => {
    const before = lines('process.reloaded').length;
    stack.publisher.kill('SIGHUP');
    await until('reloaded', () => lines('process.reloaded').length > before);
  };
  await stack.terminate(stack.publisher);
  put(first);
  stack.publisherEnvironment = { ...stack.publisherEnvironment, STRIPE_WEBHOOK_SECRET: '', STRIPE_WEBHOOK_SECRET_FILE: file };
  await stack.startPublisher();
  const post = (secret) => everywhere(async (one) => {
    const body = JSON.stringify({ id: `evt_${randomBytes(8).toString('hex')}`, type: 'x.reload' });
    return (await one.post(body, { 'stripe-signature': signature(secret, body) })).status;
  });
  assert.deepEqual(await post(first), [200]);
  assert.deepEqual(await post(second), [400]);
  put(`${first},${second}`);
  await reload();
  assert.deepEqual(await post(first), [200]);
  assert.deepEqual(await post(second), [200]);
  put(second);
  await reload();
  assert.deepEqual(await post(first), [400]);
  assert.deepEqual(await post(second), [200]);

  await stack.sluice('ingest', 'pause');
  assert.deepEqual(await post(second), [503]);
  const [pause] = JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json')).paused;
  assert.equal(pause.refused, CONNECTIONS);
  await stack.sluice('ingest', 'resume');
  assert.deepEqual(await post(second), [200]);
});

test('SIGTERM under load drains every loop: what was answered 200 is there, and the exit status is 0', async () => {
  await begin('drain');
  const { events } = stories('ld', 2000, { seed: 8 });
  let answered = 0;
  const sent = sender.sendAll(events, { onAnswer: () => { answered += 1; } });
  await until('load', () => answered > 100);
  stack.publisher.kill('SIGTERM');
  assert.deepEqual(await stack.publisher.ended, { code: 0, signal: null });
  const answers = await sent;
  const confirmed = [...answers].filter(([, status]) => status === 200).map(([id]) => id);
  assert.ok(confirmed.length >= 100 && confirmed.length < events.length);
  assert.deepEqual([...answers.values()].filter((status) => ![0, 200, 503].includes(status)), []);
  assert.deepEqual(lines('process.stopped').map((line) => line.unsettled), [0]);
  const rows = () => stack.query('SELECT event_id FROM sluice_inbox').then((all) => new Set(all.map(([id]) => id)));
  await until('what was answered 200 is applied', async () => {
    const there = await rows();
    return confirmed.every((id) => there.has(id));
  });
});

test('a second publisher does not slip in beside the loops of the first', async () => {
  await begin('second', { withConsumer: false });
  const other = mkdtempSync(path.join(stack.dir, 'other-'));
  const late = stack.spawn('sluice-publisher', { ...stack.publisherEnvironment, SLUICE_METRICS_LISTEN: '127.0.0.1:0', SLUICE_STATE_DIR: other, SLUICE_LOOPS: '2' });
  const { code } = await late.ended;
  assert.ok(code > 0 && code !== 99, `ended with ${code}`);
  rmSync(other, { recursive: true, force: true });
  assert.equal((await sender.signed('{"id":"evt_still","type":"x.still"}')).status, 200);
});
