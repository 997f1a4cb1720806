// purge - what waits in a queue is taken out into a file, and goes back: nothing is lost, nothing is applied twice, wherever it is cut off.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, before, after } from 'node:test';
import amqp from 'amqplib';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

let stack;
let sender;

before(async () => {
  stack = await Stack.start('purge');
  sender = new Sender(stack);
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const sluicePath = path.join(process.env.SLUICE_BIN, 'sluice');
const phrase = 'PURGE sluice.billing';
const customers = (prefix, count) => Array.from({ length: count }, (_, n) => ({ id: `evt_${prefix}${n}`, type: 'customer.created', created: 1700000000, livemode: false,
  data: { object: { id: `cus_${prefix}${n}`, object: 'customer', created: 1700000000, name: 'Somebody' } } }));
async function send(events) {
  for (const status of (await sender.sendAll(events)).values()) assert.equal(status, 200);
}
function sluice(...args) {
  return new Promise((resolve) => {
    const child = execFile(sluicePath, args, { env: stack.environment, cwd: stack.dir, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr }));
    child.stdin.end();
  });
}
const row = ({ stdout }) => JSON.parse(stdout)[0];
const file = (name) => path.join(stack.dir, name);
const linesOf = (name) => readFileSync(file(name), 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
const applied = (prefix) => stack.value(`SELECT count(*) FROM sluice_inbox WHERE event_id LIKE 'evt_${prefix}%'`).then(Number);
const waiting = async () => row(await sluice('queue', 'list', '-o', 'json')).waiting;

test('it refuses what it must not empty, and does nothing without a reason, a phrase, or while somebody consumes', async () => {
  for (const [args, status, said] of [
    [['sluice.delay.03'], 64, /events of every subsystem/],
    [['sluice.billing.parked'], 64, /sluice dead discard/],
    [['biling'], 64, /did you mean billing/],
    [['billing', '--yes'], 64, /--reason TEXT is required/],
    [['billing'], 0, /nothing waits in sluice\.billing/],
  ]) {
    const result = await sluice('queue', 'purge', ...args);
    assert.deepEqual([args, result.status], [args, status], result.stderr);
    assert.match(result.stderr, said);
  }
  assert.equal(await stack.value('SELECT count(*) FROM sluice_audit'), '0');
});

test('what waits goes into a file, then out of the queue, and comes back once', async () => {
  await sluice('queue', 'pause', 'billing');
  await send(customers('a', 700));
  const plan = await sluice('queue', 'purge', 'billing', '-o', 'json');
  assert.deepEqual([plan.status, row(plan).waiting, row(plan).purged], [2, 700, 0], plan.stderr);
  assert.match(plan.stderr, /--confirm 'PURGE sluice\.billing'/);
  assert.equal((await sluice('queue', 'purge', 'billing', '--reason', 'a test', '--confirm', phrase, '--dry-run')).status, 2);
  for (const [args, said] of [[['--yes'], /no terminal to type on/], [['--confirm', 'PURGE billing'], /not the phrase/]]) {
    const refused = await sluice('queue', 'purge', 'billing', '--reason', 'a test', ...args);
    assert.equal(refused.status, 64);
    assert.match(refused.stderr, said);
  }
  assert.equal(await waiting(), 700);

  const done = await sluice('queue', 'purge', 'billing', '--reason', 'a test', '--confirm', phrase, '--out', 'a.ndjson', '-o', 'json');
  assert.deepEqual([done.status, row(done).purged, row(done).file], [0, 700, file('a.ndjson')], done.stderr);
  assert.match(done.stderr, /700 customer\.created/);
  assert.equal(await waiting(), 0);
  assert.equal(statSync(file('a.ndjson')).mode & 0o777, 0o600);
  const lines = linesOf('a.ndjson');
  assert.equal(new Set(lines.map((line) => line.event_id)).size, 700);
  assert.deepEqual([lines[0].queue, lines[0].routing_key, lines[0].message_id, lines[0].livemode], ['sluice.billing', 'stripe.customer.created', lines[0].event_id, false]);
  assert.ok(Buffer.from(lines[0].envelope_base64, 'base64').includes(`"${lines[0].event_id}"`));
  assert.equal((await sluice('queue', 'restore', 'nowhere.ndjson')).status, 66);
  const again = await sluice('queue', 'purge', 'billing', '--reason', 'a test', '--confirm', phrase, '--out', 'a.ndjson');
  assert.equal(again.status, 0, 'nothing waits, so the file is not touched');

  const seen = await sluice('queue', 'restore', 'a.ndjson', '-o', 'json');
  assert.deepEqual([seen.status, row(seen).messages, row(seen).published], [2, 700, 0]);
  assert.equal(await waiting(), 0);
  const back = await sluice('queue', 'restore', 'a.ndjson', '--yes', '--rate', '5000', '-o', 'json');
  assert.deepEqual([back.status, row(back).published], [0, 700], back.stderr);
  await sluice('queue', 'resume', 'billing');
  await until('all are applied', async () => (await applied('a')) === 700);
  assert.deepEqual(await stack.query('SELECT act, subject, reason FROM sluice_audit ORDER BY seq'), [
    ['purging', 'queue sluice.billing', 'a test'], ['purged', 'queue sluice.billing', 'a test'],
    ['restoring', 'queue restore', ''], ['restored', 'queue restore', '']]);
  assert.equal((await sluice('replay', 'verify')).status, 0);
  assert.equal(await stack.value("SELECT count(*) FROM sluice_inbox WHERE body IS NOT NULL AND position('\"evt_a0\"'::bytea IN body) > 0"), '1', 'the bytes are those received');
});

test('while somebody consumes it says so and takes nothing', async () => {
  await sluice('queue', 'pause', 'billing');
  const connection = await amqp.connect(stack.amqpUrl);
  const channel = await connection.createChannel();
  await channel.prefetch(1);
  await channel.consume('sluice.billing', () => {});
  await send(customers('c', 3));
  const refused = await sluice('queue', 'purge', 'billing', '--reason', 'a test', '--confirm', phrase, '--out', 'c.ndjson');
  await connection.close();
  assert.equal(refused.status, 75, refused.stderr);
  assert.match(refused.stderr, /consumers take from sluice\.billing.*sluice queue pause billing/);
  assert.equal(existsSync(file('c.ndjson')), false);
  await sluice('queue', 'resume', 'billing');
  await until('all are applied', async () => (await applied('c')) === 3);
});

test('killed in the middle nothing is lost: each message is in the queue or in the file, and the file goes back', async () => {
  await sluice('queue', 'pause', 'billing');
  await send(customers('k', 3000));
  const purge = spawn(sluicePath, ['queue', 'purge', 'billing', '--reason', 'killed', '--confirm', phrase, '--out', 'k.ndjson'], { env: stack.environment, cwd: stack.dir, stdio: 'ignore' });
  const ended = new Promise((resolve) => purge.on('exit', (code, signal) => resolve(signal ?? code)));
  while (purge.exitCode === null && !(existsSync(file('k.ndjson')) && statSync(file('k.ndjson')).size > 1 << 20)) await new Promise((resolve) => setImmediate(resolve));
  purge.kill('SIGKILL');
  await ended;
  await until('what was in its hands is back', async () => (await waiting()) + linesOf('k.ndjson').length >= 3000);
  const cut = await sluice('queue', 'restore', 'k.ndjson', '--yes', '--rate', '5000', '-o', 'json');
  assert.deepEqual([cut.status, row(cut).published], [0, linesOf('k.ndjson').length], cut.stderr);
  await sluice('queue', 'resume', 'billing');
  await until('all are applied', async () => (await applied('k')) === 3000, 60000);
  assert.equal(await stack.value('SELECT count(*) FROM sluice_dead_letter'), '0');
  assert.equal(await stack.value("SELECT count(*) FROM sluice_audit WHERE reason = 'killed' AND act = 'purging'"), '1');
});

test('a file that is no such file, or is torn, is told apart, and a foreign message comes back as it was', async () => {
  await sluice('queue', 'pause', 'billing');
  const connection = await amqp.connect(stack.amqpUrl);
  const channel = await connection.createConfirmChannel();
  channel.publish('sluice.due', '0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.billing', Buffer.from('no envelope'), { headers: { stranger: { deep: 1 }, 'sluice-attempt': 2 } });
  await channel.waitForConfirms();
  await until('it waits', async () => (await waiting()) === 1);
  assert.equal((await sluice('queue', 'purge', 'sluice.billing', '--reason', 'odd', '--confirm', phrase, '--out', 'odd.ndjson')).status, 0);
  const [odd] = linesOf('odd.ndjson');
  assert.deepEqual([odd.headers, odd.headers_left_out, Buffer.from(odd.envelope_base64, 'base64').toString()], [{ 'sluice-attempt': 2 }, 1, 'no envelope']);

  writeFileSync(file('torn.ndjson'), `${JSON.stringify(odd)}\n${JSON.stringify(odd).slice(0, 100)}`);
  const torn = await sluice('queue', 'restore', 'torn.ndjson', '-o', 'json');
  assert.deepEqual([row(torn).messages, row(torn).torn], [1, 1]);
  writeFileSync(file('wrong.ndjson'), `${JSON.stringify(odd)}\n{"subsystem":"billing","status":"open"}\n`);
  const wrong = await sluice('queue', 'restore', 'wrong.ndjson', '--yes');
  assert.equal(wrong.status, 65, wrong.stderr);
  assert.match(wrong.stderr, /line 2.*sluice dead restore/);
  assert.equal(await waiting(), 0, 'nothing of a wrong file is published');

  assert.equal((await sluice('queue', 'restore', 'torn.ndjson', '--yes')).status, 0);
  const got = await until('it is back', () => channel.get('sluice.billing', { noAck: true }));
  assert.deepEqual([got.content.toString(), got.properties.headers['sluice-attempt']], ['no envelope', 2]);

  const copy = '0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.billing.replay';
  channel.publish('sluice.due', copy, Buffer.from('a copy'), { headers: { 'sluice-replay-run': 'r1' } });
  await channel.waitForConfirms();
  assert.equal((await sluice('queue', 'purge', 'billing.replay', '--reason', 'odd', '--confirm', `${phrase}.replay`, '--out', 'copy.ndjson')).status, 0);
  assert.equal((await sluice('queue', 'restore', 'copy.ndjson', '--yes')).status, 0);
  const back = await until('the copy is in the queue of copies again', () => channel.get('sluice.billing.replay', { noAck: true }));
  assert.deepEqual([back.content.toString(), back.properties.headers['sluice-replay-run']], ['a copy', 'r1']);
  await connection.close();
  await sluice('queue', 'resume', 'billing');
});
