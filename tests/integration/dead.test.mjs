// dead - a person's hands on the dead letters: find, understand, give up, take back, carry away, and send again to where they belong.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, before, after } from 'node:test';
import amqp from 'amqplib';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

let stack;
let sender;

// Two subsystems that hear the same events, so that a copy that goes to both is seen.
const sections = '[billing]\nhandler = billing\nbindings = stripe.#\n\n[shadow]\nhandler = billing\nbindings = stripe.customer.#\n';

before(async () => {
  stack = await Stack.start('dead', { withPublisher: false, withConsumer: false });
  const file = path.join(stack.dir, 'subsystems.conf');
  writeFileSync(file, sections);
  stack.environment.SLUICE_SUBSYSTEMS = file;
  await stack.sluice('topology', 'apply');
  await stack.startPublisher();
  await stack.startConsumer();
  sender = new Sender(stack);
  await refuse();
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const refuse = () => stack.query("ALTER TABLE billing_customer ADD CONSTRAINT not_refused CHECK (name <> 'Refused') NOT VALID");
const mend = () => stack.query('ALTER TABLE billing_customer DROP CONSTRAINT not_refused');
const customer = (id, name = 'Refused') => ({ id: `evt_${id}`, type: 'customer.created', created: 1700000000, livemode: false,
  data: { object: { id, object: 'customer', created: 1700000000, name, email: `${id}@example.com` } } });
async function send(...events) {
  for (const status of (await sender.sendAll(events)).values()) assert.equal(status, 200);
}

// Runs the tool; never rejects.
function sluice(...args) {
  return new Promise((resolve) => {
    execFile(path.join(process.env.SLUICE_BIN, 'sluice'), args, { env: stack.environment, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr }));
  });
}
const json = async (...args) => {
  const { status, stdout, stderr } = await sluice(...args, '-o', 'json');
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
};
const parked = (count, subsystem, like) => until(`${count} letters of ${subsystem}`, async () =>
  Number(await stack.value(`SELECT count(*) FROM sluice_dead_letter WHERE subsystem = '${subsystem}' AND event_id LIKE 'evt_${like}%'`)) === count, 60000);
const letterId = (id, subsystem = 'billing') => stack.value(`SELECT id FROM sluice_dead_letter WHERE event_id = 'evt_${id}' AND subsystem = '${subsystem}'`);
const state = (letter) => stack.query(`SELECT status, replays, attempts FROM sluice_dead_letter WHERE id = ${letter}`).then((rows) => rows[0]);
const verdict = (id, subsystem = 'billing') => stack.value(`SELECT verdict FROM sluice_inbox WHERE event_id = 'evt_${id}' AND subsystem = '${subsystem}'`);

test('letters are listed, filtered and grouped by cause', async () => {
  await send(customer('cus_l1'), customer('cus_l2'), customer('cus_ok', 'Fine'));
  await parked(2, 'billing', 'cus_l');
  await parked(2, 'shadow', 'cus_l');
  const all = await json('dead', 'list');
  assert.equal(all.length, 4);
  assert.deepEqual(new Set(all.map((one) => one.code)), new Set(['23514']));
  const one = await json('dead', 'list', '--subsystem', 'billing', '--object', 'cus_l1', '--type', 'customer.*', '--since', '10m');
  assert.deepEqual(one.map((letter) => [letter.event, letter.status, letter.attempts]), [['evt_cus_l1', 'open', 1]]);
  assert.deepEqual(await json('dead', 'list', '--until', '2020-01-01T00:00:00Z'), []);
  const groups = await json('dead', 'groups', '--subsystem', 'billing');
  assert.equal(groups.length, 1);
  assert.equal(groups[0].letters, 2);
  assert.equal(groups[0].samples.split(' ').length, 2);
  assert.equal((await json('dead', 'list', '--fingerprint', groups[0].fingerprint)).length, 4);
  const csv = await sluice('dead', 'list', '--limit', '1', '-o', 'csv');
  assert.match(csv.stdout, /^id,status,subsystem,type,event,[^\r\n]*\r\n\d+,open,[^\r]*\r\n$/);
  assert.match(csv.stderr, /the first 1 are shown, of 4/);
  assert.equal((await sluice('dead', 'list', '-o', 'ndjson')).stdout.trim().split('\n').map(JSON.parse).length, 4);
});

test('what cannot be meant is said in one sentence', async () => {
  for (const [args, said] of [
    [['list', '--since', 'yesterday'], /--since takes a time/],
    [['list', '--status', 'opne'], /did you mean open/],
    [['show', 'evt_nobody'], /no dead letter is about the event evt_nobody/],
    [['replay'], /needs a filter/],
    [['replay', '--type', 'x', '--rate', '0'], /--rate takes letters a second/],
    [['replay', '--resume', 'never'], /there is no run/],
    [['discard', '--type', 'x'], /--reason TEXT is required/],
  ]) {
    const { status, stderr } = await sluice('dead', ...args);
    assert.equal(status, 64, `${args}: ${stderr}`);
    assert.match(stderr, said);
  }
});

test('a letter shows why it is one and what to do, and its payload only when asked', async () => {
  const id = await letterId('cus_l1');
  const { stdout } = await sluice('dead', 'show', id);
  assert.match(stdout, /^event +evt_cus_l1$/m);
  assert.match(stdout, /^error code +23514$/m);
  assert.match(stdout, /^what to do +a constraint of the table refuses it/m);
  assert.match(stdout, /only after the cause is fixed/);
  assert.doesNotMatch(stdout, /example\.com/);
  assert.match((await sluice('dead', 'show', id, '--payload')).stdout, /"email": "cus_l1@example\.com"/);
  const [letter] = await json('dead', 'show', 'evt_cus_l1', '--subsystem', 'shadow');
  assert.equal(letter.error_code, '23514');
  assert.equal(letter.payload, undefined);
});

test('without --yes a replay changes nothing and says what it would do', async () => {
  const { status, stderr } = await sluice('dead', 'replay', '--event', 'evt_cus_l1', '--subsystem', 'billing');
  assert.equal(status, 0);
  assert.match(stderr, /replay 1 of 1 dead letters/);
  assert.match(stderr, /only after the cause is fixed/);
  assert.deepEqual(await state(await letterId('cus_l1')), ['open', '0', '1']);
});

test('what fails again is the same letter, open again', async () => {
  const id = await letterId('cus_l1');
  const { status, stdout } = await sluice('dead', 'replay', id, '--yes', '--reason', 'to see', '-o', 'json');
  assert.equal(status, 3);
  assert.equal(JSON.parse(stdout)[0].failed_again, 1);
  assert.deepEqual(await state(id), ['open', '1', '1']);
  assert.match(await stack.value(`SELECT note FROM sluice_dead_letter WHERE id = ${id}`), /replay .* by .*: to see/);
  assert.equal(await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE event_id = 'evt_cus_l1' AND subsystem = 'billing'"), '1');
});

test('a discarded letter is out of the way, with a reason, and can be taken back', async () => {
  const id = await letterId('cus_l2');
  const plan = await sluice('dead', 'discard', id, '--reason', 'a test');
  assert.match(plan.stderr, /nothing was changed/);
  assert.deepEqual((await state(id))[0], 'open');
  assert.equal((await sluice('dead', 'discard', id, '--reason', 'a test', '--yes')).status, 0);
  assert.deepEqual((await state(id))[0], 'discarded');
  assert.match((await sluice('dead', 'show', id)).stdout, /discarded by .*: a test/);
  assert.equal((await sluice('dead', 'replay', id, '--yes')).stderr.includes('nothing to do'), true);
  assert.equal((await sluice('dead', 'restore', id, '--yes')).status, 0);
  assert.deepEqual((await state(id))[0], 'open');
});

test('an export holds every byte, and never overwrites a file', async () => {
  const file = path.join(stack.dir, 'letters.ndjson');
  assert.equal((await sluice('dead', 'export', '--subsystem', 'billing', '--out', file)).status, 0);
  const letters = readFileSync(file, 'utf8').trim().split('\n').map(JSON.parse);
  assert.equal(letters.length, 2);
  for (const letter of letters) {
    const stored = await stack.value(`SELECT encode(envelope, 'hex') FROM sluice_dead_letter WHERE id = ${letter.id}`);
    assert.equal(Buffer.from(letter.envelope_base64, 'base64').toString('hex'), stored);
  }
  assert.equal((await sluice('dead', 'export', '--out', file)).status, 64);
});

test('after the cause is fixed a replay reaches its own subsystem and no other', async () => {
  await mend();
  const { status, stdout, stderr } = await sluice('dead', 'replay', '--subsystem', 'billing', '--type', 'customer.created', '--yes', '-o', 'json');
  assert.equal(status, 0, stderr);
  assert.equal(JSON.parse(stdout)[0].replayed, 2);
  for (const id of ['cus_l1', 'cus_l2']) {
    assert.equal((await state(await letterId(id)))[0], 'replayed');
    assert.equal(await verdict(id), 'replayed');
    assert.equal((await state(await letterId(id, 'shadow')))[0], 'open');
    assert.equal(await verdict(id, 'shadow'), null);
  }
  assert.equal(await stack.value("SELECT count(*) FROM billing_customer WHERE id LIKE 'cus_l%'"), '2');
  assert.equal((await sluice('dead', 'replay', '--subsystem', 'shadow', '--code', '23514', '--yes')).status, 0);
});

test('a letter of an event that was applied meanwhile is closed, and nothing is applied twice', async () => {
  await refuse();
  await send(customer('cus_again'));
  await parked(1, 'billing', 'cus_again');
  await mend();
  await send(customer('cus_again')); // the sender's own second try
  await until('it is applied', async () => ['applied', 'stale'].includes(await verdict('cus_again'))); // stale: its neighbour wrote the same row first
  const { status, stderr } = await sluice('dead', 'replay', '--event', 'evt_cus_again', '--subsystem', 'billing', '--yes');
  assert.equal(status, 0, stderr);
  assert.match(stderr, /1 of them were applied since/);
  assert.equal((await state(await letterId('cus_again')))[0], 'replayed');
  assert.equal(await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id = 'evt_cus_again' AND subsystem = 'billing'"), '1');
});

test('an event that no queue was bound to goes to those bound by now', async () => {
  const connection = await amqp.connect(stack.amqpUrl);
  const channel = await connection.createConfirmChannel();
  const copy = await stack.value("SELECT encode(envelope, 'hex') FROM sluice_dead_letter WHERE event_id = 'evt_cus_l1' LIMIT 1");
  const renamed = Buffer.from(Buffer.from(copy, 'hex').toString('latin1').replace('evt_cus_l1', 'evt_cus_u1').replace('stripe', 'shopfy'), 'latin1');
  channel.publish('sluice.events', 'shopfy.customer.created', renamed, { persistent: true, mandatory: true, messageId: 'evt_cus_u1' });
  await channel.waitForConfirms();
  await parked(1, 'unrouted', 'cus_u1');
  await channel.bindQueue('sluice.shadow', 'sluice.events', 'shopfy.#');
  await connection.close();
  assert.equal((await sluice('dead', 'replay', '--subsystem', 'unrouted', '--event', 'evt_cus_u1', '--yes')).status, 0);
  assert.equal((await state(await letterId('cus_u1', 'unrouted')))[0], 'replayed');
});

test('a subsystem without a queue is named before anything is published', async () => {
  await stack.query("INSERT INTO sluice_dead_letter (subsystem, event_id, reason, error_class, envelope, body_sha256) VALUES ('gone', 'evt_gone', 'permanent', 'permanent', 'x', 'y')");
  const { status, stderr } = await sluice('dead', 'replay', '--subsystem', 'gone', '--yes');
  assert.equal(status, 78, stderr);
  assert.match(stderr, /queue sluice\.gone does not exist/);
  assert.equal(await stack.value("SELECT status FROM sluice_dead_letter WHERE event_id = 'evt_gone'"), 'open');
});

test('a replay of 1,000 letters that is killed again and again ends with each event applied once', async () => {
  await stack.sluice('dead', 'park', '--type', 'customer.created', '--subsystem', 'billing', '--reason', 'a test');
  await send(...Array.from({ length: 1000 }, (_, n) => customer(`cus_k${n}`)));
  await parked(1000, 'billing', 'cus_k');
  await stack.sluice('dead', 'unpark', '--type', 'customer.created', '--subsystem', 'billing');
  const published = () => stack.value("SELECT count(*) FROM sluice_dead_letter WHERE subsystem = 'billing' AND event_id LIKE 'evt_cus_k%' AND published_at IS NOT NULL").then(Number);
  let args = ['dead', 'replay', '--subsystem', 'billing', '--class', 'parked by operator', '--limit', '1000', '--rate', '500/s', '--yes'];
  for (const mark of [100, 400, 700]) {
    const child = spawn(path.join(process.env.SLUICE_BIN, 'sluice'), args, { env: stack.environment, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)));
    await until(`${mark} are published`, async () => (await published()) >= mark, 60000);
    child.kill('SIGKILL');
    assert.equal(await ended, 'SIGKILL');
    const run = await stack.value("SELECT DISTINCT replay_run FROM sluice_dead_letter WHERE event_id LIKE 'evt_cus_k%' AND subsystem = 'billing'");
    args = ['dead', 'replay', '--resume', run, '--rate', '500/s', '--yes'];
  }
  assert.ok(await published() < 1000, 'it was killed before it had ended');
  // Its session has to be gone before another process may work on the run.
  const { stdout } = await until('the run is free, and goes on to its end', async () => {
    const result = await sluice(...args, '-o', 'json');
    if (result.status === 0) return result;
    throw new Error(result.stderr);
  }, 60000);
  assert.equal(JSON.parse(stdout)[0].replayed, 1000);
  assert.equal(await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE subsystem = 'billing' AND event_id LIKE 'evt_cus_k%' AND status = 'replayed'"), '1000');
  // stale: the neighbour, which hears the same events, wrote the same row first.
  assert.deepEqual(await stack.query("SELECT count(*), count(DISTINCT event_id), bool_and(verdict IN ('replayed', 'stale')) FROM sluice_inbox WHERE subsystem = 'billing' AND event_id LIKE 'evt_cus_k%'"),
    [['1000', '1000', 't']]);
  assert.equal(await stack.value("SELECT count(*) FROM billing_customer WHERE id LIKE 'cus_k%'"), '1000');
});
