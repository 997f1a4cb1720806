// journal - the operator's view of what waits for the broker: seen, proven and published, with a publisher running and without one.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, afterEach } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { servers } from './lib/servers.mjs';
import { Stack, until } from './lib/stack.mjs';

const DURABLE = { SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' }; // the tests' folder may be a tmpfs
let stack;
let sender;

afterEach(async () => {
  sender?.close();
  await servers.start('rabbitmq');
  await stack?.stop({ keepVhost: true });
  stack = undefined;
});

// {code, json, text, err} of a command, whatever it exits with.
async function run(...args) {
  try {
    const text = await stack.sluice(...args);
    return { code: 0, text, err: '', json: args.includes('json') ? JSON.parse(text) : undefined };
  } catch (error) {
    const text = error.stdout ?? '';
    return { code: error.code, text, err: error.stderr ?? String(error), json: args.includes('json') && text !== '' ? JSON.parse(text) : undefined };
  }
}
const journal = (...args) => run('journal', ...args);

// A publisher whose broker is away, with `count` events in its journal.
async function begin(name, count, options = {}) {
  stack = await Stack.start(name, { ...options, publisher: { ...DURABLE, ...options.publisher } });
  sender = new Sender(stack, { connections: 4 });
  await servers.stop('rabbitmq');
  await until('the publisher knows', async () => (await stack.metric('sluice_degraded')) === 1);
  for (let i = 0; i < count; i += 1) {
    const answer = await sender.signed(JSON.stringify({ id: `evt_${name}_${i}`, type: 'x.kept', created: 1700000000, secret: 'canary-in-a-body' }));
    assert.equal(answer.status, 202);
  }
}
const ids = (rows) => rows.map(({ id }) => id);
const wanted = (name, from, to) => Array.from({ length: to - from }, (_, i) => `evt_${name}_${from + i}`);
const inbox = async () => (await stack.query('SELECT event_id FROM sluice_inbox ORDER BY event_id')).map(([id]) => id);

test('seen and told while the publisher runs; seen, planned and published when it does not', async () => {
  await begin('ops', 5, { withConsumer: false });
  const running = await journal('status', '-o', 'json');
  assert.equal(running.code, 0);
  assert.equal(running.json.waiting, 5);
  assert.equal(running.json.in_use, true);
  assert.equal(running.json.publisher.journal_state, 'ok');
  assert.notEqual(running.json.publisher.broker_state, 'up');
  assert.ok(Date.parse(running.json.oldest) <= Date.now());
  assert.match((await journal('status')).text, /^5 events wait/);
  const listed = await journal('list', '-o', 'json');
  assert.deepEqual(ids(listed.json), wanted('ops', 0, 5));
  assert.ok(listed.json.every((row) => row.type === 'x.kept' && row.source === 'stripe' && row.state === 'waiting' && row.bytes > 50));
  assert.ok(!listed.text.includes('canary'));
  assert.deepEqual(ids((await journal('list', '--limit', '2', '-o', 'json')).json), wanted('ops', 0, 2));
  assert.deepEqual(await journal('verify', '-o', 'json').then(({ code, json }) => [code, json]), [0, []]);
  assert.equal((await journal('replay', '--rate', '78', '--dry-run', '--yes')).code, 2); // changes nothing
  const told = await journal('replay', '--rate', '77', '--yes', '-o', 'json');
  assert.equal(told.code, 0, told.err);
  assert.equal(told.json.journal.replay_rate, 77);
  assert.match((await journal('replay')).text, /5 events, at most 77 a second; it begins when the broker is back/);
  assert.equal((await journal('replay', '--limit', '1')).code, 64);

  assert.equal((await stack.terminate(stack.publisher)).code, 0);
  const alone = await journal('status', '-o', 'json');
  assert.deepEqual([alone.json.waiting, alone.json.in_use, alone.json.publisher], [5, false, null]);
  const plan = await journal('replay', '-o', 'json');
  assert.deepEqual([plan.code, plan.json.would_publish], [2, 5]);
  assert.match((await journal('replay')).text, /5 of 5 events would be published/);
  const nobody = await journal('replay', '--yes');
  assert.equal(nobody.code, 69, nobody.err);
  assert.equal((await journal('status', '-o', 'json')).json.waiting, 5);

  await servers.start('rabbitmq');
  const some = await journal('replay', '--yes', '--limit', '2', '-o', 'json');
  assert.deepEqual([some.code, some.json], [3, { published: 2, refused: 0, set_aside: 0, left: 3 }], some.err);
  assert.deepEqual(ids((await journal('list', '-o', 'json')).json), wanted('ops', 2, 5));
  const rest = await journal('replay', '--yes', '-o', 'json');
  assert.deepEqual([rest.code, rest.json], [0, { published: 3, refused: 0, set_aside: 0, left: 0 }], rest.err);
  assert.match((await journal('replay', '--yes')).text, /nothing waits/);
  assert.deepEqual((await journal('list', '-o', 'json')).json, []);
  await stack.startConsumer();
  await until('each is applied once', async () => (await inbox()).length === 5);
  assert.deepEqual(await inbox(), wanted('ops', 0, 5));
});

test('planted damage is named by segment, offset and count, and everything else is still published', async () => {
  await begin('harm', 6, { withConsumer: false });
  assert.equal((await stack.terminate(stack.publisher)).code, 0);
  const folder = path.join(stack.dir, 'journal');
  const [segment] = readdirSync(folder).filter((name) => /^drop-.*\.slj$/.test(name));
  const bytes = readFileSync(path.join(folder, segment));
  const records = []; // where each begins: the sync word, and the id inside
  for (let at = 64; at < bytes.length; at += 8) if (bytes.readUInt32LE(at) === 0xf5c1d4fe && bytes[at + 12] === 1) records.push(at);
  assert.equal(records.length, 6);
  bytes[records[2] + 60] ^= 0x10;
  bytes[records[3] + 40] ^= 0x01;
  writeFileSync(path.join(folder, segment), bytes);

  const found = await journal('verify', '-o', 'json');
  assert.equal(found.code, 1);
  const hole = found.json.find(({ finding }) => finding === 'hole');
  assert.deepEqual([hole.segment, hole.offset, hole.bytes], [segment, records[2], records[4] - records[2]]);
  const gap = found.json.find(({ finding }) => finding === 'gap');
  assert.deepEqual([gap.segment, gap.events, gap.first_number], [segment, 2, 3]);
  assert.match((await journal('verify')).text, new RegExp(`${segment} +hole +${records[2]}`));
  assert.deepEqual(ids((await journal('list', '-o', 'json')).json), [...wanted('harm', 0, 2), ...wanted('harm', 4, 6)]);
  assert.deepEqual(readdirSync(folder).filter((name) => name.includes('.corrupt-')), []); // looking changes nothing

  await stack.startPublisher();
  await servers.start('rabbitmq');
  await stack.startConsumer();
  await until('what is proven is applied', async () => (await inbox()).length === 4, 60000);
  assert.equal((await journal('status', '-o', 'json')).json.set_aside, 1);
});

test('by hand too, an event larger than the broker takes is set aside and nothing waits behind it', async () => {
  await begin('before', 3, { withConsumer: false });
  const large = { id: 'evt_large', type: 'x.kept', created: 1700000000, filler: 'x'.repeat(40000) };
  assert.equal((await sender.signed(JSON.stringify(large))).status, 202);
  for (let i = 0; i < 3; i += 1) {
    const after = { id: `evt_after_${i}`, type: 'x.kept', created: 1700000000 };
    assert.equal((await sender.signed(JSON.stringify(after))).status, 202);
  }
  assert.equal((await stack.terminate(stack.publisher)).code, 0);
  await servers.start('rabbitmq');
  const limitTo = (bytes) => servers.rabbitmqctl('eval', `application:set_env(rabbit, max_message_size, ${bytes}).`);
  try {
    await limitTo(20000);
    const replayed = await journal('replay', '--yes', '-o', 'json');
    assert.equal(replayed.code, 3, replayed.err);
    assert.deepEqual([replayed.json.published, replayed.json.set_aside, replayed.json.left], [6, 1, 0]);
    assert.match(replayed.err, /set aside in poison.: 1; .*max_message_size/);
  } finally {
    await limitTo(134217728);
  }
  assert.equal((await journal('status', '-o', 'json')).json.waiting, 0);
  const kept = await journal('list', '--poison', '-o', 'json');
  assert.deepEqual(ids(kept.json), ['evt_large']);
  await stack.startConsumer();
  await until('the others are applied', async () => (await inbox()).length === 6, 60000);
});

test('no journal is said, and exits as no input', async () => {
  await begin('none', 0, { withConsumer: false });
  for (const verb of ['status', 'list', 'verify', 'replay']) {
    const none = await journal(verb, '--state-dir', path.join(stack.dir, 'nowhere'));
    assert.equal(none.code, 66, `${verb}: ${none.err}`);
    assert.match(none.err, /there is no journal in/);
  }
});
