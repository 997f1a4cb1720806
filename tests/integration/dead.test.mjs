// dead - a person's hands on the dead letters: find, understand, give up, take back, carry away, and send again to where they belong.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test, before, after } from 'node:test';
import amqp from 'amqplib';
import { customerCreated } from './lib/events.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

let stack;
let sender;

// Two subsystems that hear the same events, so that a copy that goes to both is seen.
const sections = '[billing]\nhandler = billing\nbindings = stripe.#\nseverity = critical\nowner = payments\nimpact = access is decided on old facts\n\n[shadow]\nhandler = billing\nbindings = stripe.customer.#\n';

before(async () => {
  stack = await Stack.start('dead', { subsystems: sections });
  sender = new Sender(stack);
  await refuse();
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const refuse = () => stack.query("ALTER TABLE billing_customer ADD CONSTRAINT not_refused CHECK (name <> 'Refused') NOT VALID");
const mend = () => stack.query('ALTER TABLE billing_customer DROP CONSTRAINT not_refused');
const customer = (id, name = 'Refused') => customerCreated(id, { name, email: `${id}@example.com` });
async function send(...events) {
  for (const status of (await sender.sendAll(events)).values()) assert.equal(status, 200);
}

const sluice = (...args) => stack.tool(args);
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
  assert.deepEqual([groups[0].trend, groups[0].last_hour, groups[0].hour_before, groups[0].severity, groups[0].owner, groups[0].impact],
    ['rising', 2, 0, 'critical', 'payments', 'access is decided on old facts']);
  assert.equal((await json('dead', 'groups', '--subsystem', 'billing', '--deployed', '1h'))[0].new, true);
  assert.equal((await json('dead', 'groups', '--subsystem', 'billing', '--deployed', new Date(Date.now() + 3600e3).toISOString().slice(0, 19) + 'Z'))[0].new, false);
  assert.equal((await json('dead', 'list', '--fingerprint', groups[0].fingerprint)).length, 4);
  const csv = await sluice('dead', 'list', '--limit', '1', '-o', 'csv');
  assert.match(csv.stdout, /^id,status,subsystem,type,event,[^\r\n]*\r\n\d+,open,[^\r]*\r\n$/);
  assert.match(csv.stderr, /the first 1 are shown, of 4/);
  assert.equal((await sluice('dead', 'list', '-o', 'ndjson')).stdout.trim().split('\n').map(JSON.parse).length, 4);
});

test('what cannot be meant is said in one sentence', async () => {
  for (const [args, said, expected] of [
    [['list', '--since', 'yesterday'], /--since takes a time/],
    [['list', '--status', 'opne'], /did you mean open/],
    [['show', 'evt_nobody'], /no dead letter is about the event evt_nobody/, 66],
    [['show', '99999'], /there is no dead letter 99999/, 66],
    [['replay', '99999'], /there is no dead letter 99999/, 66],
    [['discard', 'evt_nobody', '--reason', 'x'], /no dead letter is about the event evt_nobody/, 66],
    [['list', '--subsystem', 'biling'], /no section 'biling'; did you mean billing\?/],
    [['replay', '--subsystem', 'biling'], /no section 'biling'; did you mean billing\?/],
    [['list', '--class', 'permament'], /did you mean permanent\?/],
    [['replay'], /needs a filter/],
    [['replay', '--type', 'x', '--rate', '0'], /--rate takes letters a second/],
    [['replay', '--resume', 'never'], /there is no run/, 66],
    [['discard', '--type', 'x'], /--reason TEXT is required/],
    [['park', '--event', 'evt_1', '--subsystem', 'biling', '--reason', 'x'], /no section 'biling'; did you mean billing\?/],
  ]) {
    const { status, stderr } = await sluice('dead', ...args);
    assert.equal(status, expected ?? 64, `${args}: ${stderr}`);
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
  assert.match(letter.created_at, /^20\d\d-\d\d-\d\dT[\d:.]+Z$/);
});

test('without --yes a replay changes nothing and says what it would do', async () => {
  const chosen = ['--event', 'evt_cus_l1', '--subsystem', 'billing'];
  const { status, stderr } = await sluice('dead', 'replay', ...chosen);
  assert.equal(status, 2);
  assert.match(stderr, /replay 1 of 1 dead letters/);
  assert.match(stderr, /only after the cause is fixed/);
  for (const act of ['replay', 'discard']) { // a program gets the plan as data, and --dry-run wins
    const plan = await sluice('dead', act, ...chosen, '--yes', '--dry-run', '--reason', 'a rehearsal', '-o', 'json');
    assert.equal(plan.status, 2, plan.stderr);
    assert.deepEqual(JSON.parse(plan.stdout).map((one) => [one.code, one.letters]), [['23514', 1]]);
  }
  await stack.query("UPDATE sluice_dead_letter SET received_at = received_at - interval '36 days' WHERE event_id = 'evt_cus_l1'");
  assert.match((await sluice('dead', 'replay', ...chosen)).stderr, /1 of them came more than 35 days ago.* it takes --allow-reapply/);
  const forgotten = await sluice('dead', 'replay', ...chosen, '--yes', '--reason', 'a test');
  assert.equal(forgotten.status, 64);
  assert.match(forgotten.stderr, /would be applied twice; --allow-reapply replays them all the same/);
  assert.equal((await sluice('dead', 'replay', ...chosen, '--yes', '--dry-run', '--allow-reapply')).status, 2);
  await stack.query("UPDATE sluice_dead_letter SET received_at = received_at + interval '36 days' WHERE event_id = 'evt_cus_l1'");
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
  const { story } = await json('event', 'show', 'evt_cus_l1'); // who replayed it, why, and that it failed again
  const told = story.filter(({ what }) => what.startsWith('replay ')).map(({ place, what, detail }) => `${place} ${what}: ${detail}`);
  assert.equal(told.length, 2, JSON.stringify(story));
  assert.match(told[0], new RegExp(`^billing replay published: letter ${id} by \\S+, to see, run `));
  assert.match(told[1], new RegExp(`^billing replay failed: letter ${id} is open again 23514`));
});

test('everything that changes something can be rehearsed, and says by its status what it found', async () => {
  const id = await letterId('cus_l1');
  const standing = () => stack.value(`SELECT (SELECT count(*) FROM sluice_control) || ' ' || (SELECT count(*) FROM sluice_audit) || ' '
    || (SELECT string_agg(status, ',' ORDER BY id) FROM sluice_dead_letter)`);
  const before = await standing();
  for (const [wanted, line] of [
    [2, 'queue pause billing -n'], [0, 'queue resume --all -n'], [2, 'queue set billing batch=3 -n'], [0, 'queue set billing --reset -n'], [0, 'queue set'],
    [2, 'breaker trip billing x.y -n'], [2, 'breaker close billing x.y --dry-run'], [0, 'breaker list'],
    [2, 'dead park --event evt_1 --reason x -n'], [0, 'dead unpark --event evt_1 -n'], [2, `dead replay ${id} -y -n`], [2, `dead discard ${id} -yn --reason x`],
    [0, `dead restore ${id} -n`], [2, 'ingest pause -n'], [2, 'ingest resume -n'], [2, 'log set --level debug -n'], [0, 'topology apply -n'], [0, 'migrate up -n'],
    [0, 'journal replay -n'], [2, 'journal replay --rate 5 -n -y'], [0, 'dead list'], [0, 'journal list'], [0, 'replay verify'], [66, 'dead show 99999'],
    [66, 'event show evt_nobody'], [66, 'replay show nobody'], [66, 'replay pause nobody -n'], [66, 'replay resume nobody -n'], [66, 'replay abort nobody -n'], [73, 'dead export --out /nowhere/x'],
  ]) {
    const { status, stderr } = await sluice(...line.split(' '));
    assert.equal(status, wanted, `${line}: ${stderr}`);
  }
  assert.equal(await standing(), before);
  const looks = (await sluice('queue', 'drain', 'billing', '-o', 'ndjson')).stdout.trim().split('\n').map(JSON.parse);
  assert.deepEqual([looks.at(-1).state, looks.at(-1).waiting, looks.at(-1).unacked], ['drained', 0, 0]);
});

test('a discarded letter is out of the way, with a reason, and can be taken back', async () => {
  const id = await letterId('cus_l2');
  const plan = await sluice('dead', 'discard', id, '--reason', 'a test');
  assert.match(plan.stderr, /nothing was changed/);
  assert.deepEqual((await state(id))[0], 'open');
  assert.equal((await sluice('dead', 'discard', id, '--reason', 'a test', '--yes')).status, 0);
  assert.deepEqual((await state(id))[0], 'discarded');
  assert.match((await sluice('dead', 'show', id)).stdout, /discarded by .*: a test/);
  assert.equal((await sluice('dead', 'replay', id, '--yes', '--reason', 'a test')).stderr.includes('nothing to do'), true);
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
  assert.equal((await sluice('dead', 'export', '--out', file)).status, 73);
});

test('after the cause is fixed a replay reaches its own subsystem and no other', async () => {
  await mend();
  const { status, stdout, stderr } = await sluice('dead', 'replay', '--subsystem', 'billing', '--type', 'customer.created', '--yes', '--reason', 'a test', '-o', 'json');
  assert.equal(status, 0, stderr);
  assert.equal(JSON.parse(stdout)[0].replayed, 2);
  const { run } = (await json('replay', 'list'))[0];
  for (const act of ['pause', 'abort']) { // too late is no mistake
    const late = await sluice('replay', act, run, '--reason', 'a test');
    assert.deepEqual([late.status, late.stdout], [0, ''], late.stderr);
    assert.match(late.stderr, /is done: there is nothing to /);
  }
  for (const id of ['cus_l1', 'cus_l2']) {
    assert.equal((await state(await letterId(id)))[0], 'replayed');
    assert.equal(await verdict(id), 'replayed');
    assert.equal((await state(await letterId(id, 'shadow')))[0], 'open');
    assert.equal(await verdict(id, 'shadow'), null);
  }
  assert.equal(await stack.value("SELECT count(*) FROM billing_customer WHERE id LIKE 'cus_l%'"), '2');
  assert.equal((await sluice('dead', 'replay', '--subsystem', 'shadow', '--code', '23514', '--yes', '--reason', 'a test')).status, 0);
});

test('a letter of an event that was applied meanwhile is closed, and nothing is applied twice', async () => {
  await refuse();
  await send(customer('cus_again'));
  await parked(1, 'billing', 'cus_again');
  await mend();
  await send(customer('cus_again')); // the sender's own second try
  await until('it is applied', async () => ['applied', 'stale'].includes(await verdict('cus_again'))); // stale: its neighbour wrote the same row first
  const { status, stderr } = await sluice('dead', 'replay', '--event', 'evt_cus_again', '--subsystem', 'billing', '--yes', '--reason', 'a test');
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
  assert.equal((await sluice('dead', 'replay', '--subsystem', 'unrouted', '--event', 'evt_cus_u1', '--yes', '--reason', 'a test')).status, 0);
  assert.equal((await state(await letterId('cus_u1', 'unrouted')))[0], 'replayed');
});

test('a subsystem without a queue is named before anything is published', async () => {
  await stack.query("INSERT INTO sluice_dead_letter (subsystem, event_id, reason, error_class, envelope, body_sha256) VALUES ('gone', 'evt_gone', 'permanent', 'permanent', 'x', 'y')");
  const { status, stderr } = await sluice('dead', 'replay', '--subsystem', 'gone', '--yes', '--reason', 'a test');
  assert.equal(status, 78, stderr);
  assert.match(stderr, /queue sluice\.gone does not exist/);
  assert.equal(await stack.value("SELECT status FROM sluice_dead_letter WHERE event_id = 'evt_gone'"), 'open');
});
