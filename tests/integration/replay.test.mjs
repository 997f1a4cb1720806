// replay - dead letters go back as a run: a frozen set that nobody else can take, a canary, a pause, an abort, a kill in the middle, a proof of who did what.
//
// TEST_LONG=1: the run that is killed has 10,000 letters instead of 1,000.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import path from 'node:path';
import { test, before, after } from 'node:test';
import amqp from 'amqplib';
import { customerCreated } from './lib/events.mjs';
import { Sender } from './lib/sender.mjs';
import { patient, Stack, until } from './lib/stack.mjs';

const many = process.env.TEST_LONG === '1' ? 10000 : 1000;

let stack;
let sender;

// `spare` and `hook` hear nothing: letters are redirected to them.
const sections = '[billing]\nhandler = billing\nbindings = stripe.#\nbreaker_consecutive = 1000\nbackoff = 1s\n\n[spare]\nhandler = billing\nbindings = nothing.#\n'
  + '\n[hook]\nhandler = http\nurl = $HOOK_URL\nsecret = HOOK_SECRET\nbindings = nothing.#\n';
const called = []; // by `hook`
const hook = createServer((request, answer) => {
  called.push(request.url);
  answer.end();
});

before(async () => {
  await new Promise((resolve) => hook.listen(0, '127.0.0.1', resolve));
  stack = await Stack.start('replay', {
    subsystems: sections,
    environment: { HOOK_URL: `http://127.0.0.1:${hook.address().port}/`, HOOK_SECRET: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
  });
  sender = new Sender(stack);
  await refuse();
});
after(async () => {
  sender?.close();
  hook.close();
  await stack?.stop();
});

const refuse = () => stack.query("ALTER TABLE billing_customer ADD CONSTRAINT not_refused CHECK (name <> 'Refused') NOT VALID");
const mend = () => stack.query('ALTER TABLE billing_customer DROP CONSTRAINT IF EXISTS not_refused');
const customer = (id, name = 'Refused') => customerCreated(id, { name, email: `${id}@example.com` });
const like = (prefix) => `event_id LIKE 'evt_cus_${prefix}%'`;
const count = (table, where) => stack.value(`SELECT count(*) FROM ${table} WHERE ${where}`).then(Number);

// So many open letters of billing, about the customers cus_<prefix>0 and on, set aside by order: their table refuses them while `refuse` holds.
async function setAside(prefix, letters) {
  const by = ['--type', 'customer.created', '--subsystem', 'billing'];
  await stack.sluice('dead', 'park', ...by, '--reason', 'a test');
  for (let n = 0; n < letters; n += 1000) {
    const events = Array.from({ length: Math.min(1000, letters - n) }, (_, i) => customer(`cus_${prefix}${n + i}`));
    for (const status of (await sender.sendAll(events)).values()) assert.equal(status, 200);
  }
  await until(`${letters} letters`, async () => (await count('sluice_dead_letter', `${like(prefix)} AND status = 'open'`)) === letters, 300000);
  await stack.sluice('dead', 'unpark', ...by);
}

function start(...args) {
  const child = spawn(path.join(process.env.SLUICE_BIN, 'sluice'), patient(args), { env: stack.environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].on('data', (part) => { said[stream] += part; });
  child.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ status: signal ?? code, ...said })));
  return child;
}
// Runs the tool; never rejects.
const sluice = (...args) => start(...args).ended;
const json = async (...args) => JSON.parse((await sluice(...args, '-o', 'json')).stdout);
const all = ['dead', 'replay', '--subsystem', 'billing', '--limit', `${many}`]; // each test leaves none open
const published = (prefix) => count('sluice_dead_letter', `${like(prefix)} AND published_at IS NOT NULL`);
const runOf = (prefix) => stack.value(`SELECT DISTINCT run FROM sluice_replay_item WHERE ${like(prefix)} AND outcome IS NULL`);
const runNamed = async (run) => (await json('replay', 'list')).find((one) => one.run === run);
const once = async (prefix, letters, subsystem = 'billing') => assert.deepEqual(
  await stack.query(`SELECT count(*), count(DISTINCT event_id) FROM sluice_inbox WHERE subsystem = '${subsystem}' AND ${like(prefix)}`),
  [[`${letters}`, `${letters}`]], 'each event is in the inbox once');

test('a frozen set belongs to one run: nobody else can take its letters, and an abort gives them back', async () => {
  await setAside('f', 6);
  const frozen = await sluice(...all, '--freeze', '--reason', 'to look first', '-o', 'json');
  assert.equal(frozen.status, 0, frozen.stderr);
  const [{ run, planned, unpublished, status }] = JSON.parse(frozen.stdout);
  assert.deepEqual([planned, unpublished, status], [6, 6, 'planned']);
  const second = await sluice(...all, '--yes', '--reason', 'a test');
  assert.equal(second.status, 0);
  assert.match(second.stderr, new RegExp(`run ${run} is planned`));
  assert.match(second.stderr, /nothing to do/);
  await assert.rejects(stack.query(`INSERT INTO sluice_replay_item (run, dead_letter_id, subsystem, fingerprint, is_canary)
    SELECT run, dead_letter_id, subsystem, fingerprint, false FROM sluice_replay_item WHERE run = '${run}'`));
  assert.match((await sluice('replay', 'show', run)).stdout, /^reason +to look first$/m);
  const aborted = await sluice('replay', 'abort', run, '--reason', 'the wrong ones');
  assert.equal(aborted.status, 0, aborted.stderr);
  assert.match(aborted.stdout, /6 were never published and are open/);
  assert.equal(await count('sluice_dead_letter', `${like('f')} AND status = 'open'`), 6);
  assert.equal((await sluice('replay', 'resume', run, '--yes')).stderr.includes('nothing to do'), true);
});

test('a canary that fails keeps the rest where it is; past it only by a word of a person', async () => {
  const stopped = await sluice(...all, '--canary', '3', '--yes', '--reason', 'a test', '-o', 'json');
  assert.equal(stopped.status, 3, stopped.stderr);
  const [{ run, unpublished, failed_again: failed, status, why }] = JSON.parse(stopped.stdout);
  assert.equal(status, 'paused');
  assert.match(why, /^canary: [123] of 3 failed for a cause they did not have before$/);
  assert.equal(unpublished, 3);
  assert.ok(failed >= 1);
  assert.equal(await count('sluice_replay_item', `run = '${run}' AND NOT is_canary AND outcome IS NULL`), 3, 'nothing but the canary is published');
  await until('the canary is decided', async () => (await runNamed(run)).failed_again === 3);
  await mend();
  const again = await sluice('replay', 'resume', run, '--yes', '-o', 'json');
  assert.equal(again.status, 3, again.stderr);
  assert.equal(JSON.parse(again.stdout)[0].unpublished, 3, 'the canary has not become better');
  const past = await sluice('replay', 'resume', run, '--past-canary', '--yes', '--reason', 'the constraint is dropped', '-o', 'json');
  assert.equal(past.status, 3, past.stderr);
  assert.deepEqual([JSON.parse(past.stdout)[0].replayed, JSON.parse(past.stdout)[0].status], [3, 'done']);
  const rest = await sluice(...all, '--canary', '1', '--yes', '--reason', 'a test', '-o', 'json');
  assert.equal(rest.status, 0, rest.stderr);
  assert.match(rest.stderr, /canary: 1 of 1 were applied/);
  assert.equal(JSON.parse(rest.stdout)[0].replayed, 3);
  await once('f', 6);
});

test('what failed before a person let the run go on does not count against what is to come', async () => {
  await refuse();
  await setAside('w', 60);
  const stopped = await sluice(...all, '--canary', '10', '--rate', '100', '--yes', '--reason', 'a test', '-o', 'json');
  assert.equal(stopped.status, 3, stopped.stderr);
  const [{ run }] = JSON.parse(stopped.stdout);
  await until('the canary is decided', async () => (await runNamed(run)).failed_again === 10);
  await mend();
  const past = await sluice('replay', 'resume', run, '--past-canary', '--yes', '--reason', 'the constraint is dropped', '-o', 'json');
  assert.deepEqual([JSON.parse(past.stdout)[0].replayed, JSON.parse(past.stdout)[0].status], [50, 'done'], past.stderr);
  assert.equal((await sluice(...all, '--canary', '1', '--yes', '--reason', 'a test')).status, 0);
  await once('w', 60);
});

test('a canary of which nobody knows the end stops the run, and it goes on when it is known', async () => {
  await mend();
  await setAside('u', 4);
  await stack.sluice('queue', 'pause', 'billing');
  const undecided = await sluice(...all, '--canary', '2', '--wait', '1s', '--yes', '--reason', 'a test', '-o', 'json');
  assert.equal(undecided.status, 75, undecided.stderr);
  const [{ run, waiting, unpublished, why }] = JSON.parse(undecided.stdout);
  assert.deepEqual([waiting, unpublished, why], [2, 2, 'canary: 2 of 2 are not decided yet']);
  await stack.sluice('queue', 'resume', 'billing');
  const done = await sluice('replay', 'resume', run, '--yes', '-o', 'json');
  assert.equal(done.status, 0, done.stderr);
  await once('u', 4);
});

// What the broker says of a queue now: the management interface is seconds behind.
async function ask(queue) {
  const connection = await amqp.connect(stack.amqpUrl);
  try {
    return await (await connection.createChannel()).checkQueue(queue);
  } finally {
    await connection.close();
  }
}
const ready = async (queue) => (await ask(queue)).messageCount;
const consumersOf = async (queue) => (await ask(queue)).consumerCount;
const listed = async (subsystem) => (await json('queue', 'list')).find((one) => one.subsystem === subsystem);

test('copies wait in a queue of their own, which is paused, listed and drained with its subsystem; what is live goes first', async () => {
  await mend();
  await setAside('q', 60);
  await stack.sluice('queue', 'pause', 'billing');
  const begun = await sluice(...all, '--canary', '59', '--rate', '500/s', '--wait', '0s', '--yes', '--reason', 'a test', '-o', 'json');
  assert.equal(begun.status, 75, begun.stderr);
  const live = Array.from({ length: 300 }, (_, i) => customer(`cus_l${i}`, 'Somebody'));
  for (const status of (await sender.sendAll(live)).values()) assert.equal(status, 200);
  await until('the broker counts them', async () => (await ready('sluice.billing')) === 300 && (await ready('sluice.billing.replay')) === 59);
  const { waiting, replays } = await listed('billing');
  assert.deepEqual([waiting, replays], [300, 59]);
  const drained = await sluice('queue', 'drain', 'billing', '--timeout', '1s');
  assert.equal(drained.status, 75);
  assert.match(drained.stderr, /300 waiting, 0 in hand, 0 delayed, 59 to replay; not draining: paused/);
  await stack.sluice('queue', 'resume', 'billing');
  assert.equal((await sluice('queue', 'drain', 'billing')).status, 0);
  await once('q', 59);
  await once('l', 300);
  const last = (prefix) => `(SELECT max(applied_at) FROM sluice_inbox WHERE ${like(prefix)})`;
  assert.equal(await stack.value(`SELECT ${last('l')} < ${last('q')}`), 't', 'the copies came first, and ended last');
});

test('a copy that fails and may pass later comes back to the queue of replays, with its run', async () => {
  const run = await runOf('q'); // the one letter behind the canary
  await stack.query(`CREATE TABLE missing AS SELECT 1; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM missing) THEN RAISE foreign_key_violation; END IF; RETURN NEW; END $$;
    CREATE TRIGGER refused BEFORE INSERT ON billing_customer FOR EACH ROW EXECUTE FUNCTION refuse()`);
  const connection = await amqp.connect(stack.amqpUrl);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const seen = [];
  await channel.bindQueue(queue, 'sluice.due', '#');
  await channel.consume(queue, (message) => seen.push(message), { noAck: true });
  const worker = start('replay', 'resume', run, '--yes');
  await until('it is on its way again', () => seen.length >= 2);
  await stack.query('DROP TRIGGER refused ON billing_customer; DROP TABLE missing');
  const done = await worker.ended;
  assert.equal(done.status, 0, done.stderr);
  await connection.close();
  for (const { fields, properties } of seen) {
    assert.match(fields.routingKey, /^([01]\.){20}billing\.replay$/);
    assert.equal(properties.headers['sluice-replay-run'], run);
  }
  assert.equal(seen[1].properties.headers['sluice-attempt'], 2);
  await once('q', 60);
});

test('without its queue of replays a subsystem consumes what is live, and a replay says what to do', async () => {
  await mend();
  await setAside('s', 3);
  await stack.api('DELETE', `/api/queues/${stack.name}/sluice.billing.replay`);
  const refused = await sluice(...all, '--yes', '--reason', 'a test');
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /queue sluice\.billing\.replay does not exist: .*`sluice topology apply`/);
  assert.equal((await listed('billing')).settings, 'NO QUEUE FOR REPLAYS: sluice topology apply');
  const missing = (line) => line.queue === 'sluice.billing.replay';
  await until('the consumer says it', () => stack.linesOf(stack.consumer, 'topology.missing').some(missing));
  assert.equal((await sender.sendAll([customer('cus_live', 'Somebody')])).get('evt_cus_live'), 200);
  await until('what is live is applied', () => count('billing_customer', "id = 'cus_live'"));
  assert.notEqual((await sluice('topology', 'diff')).status, 0);
  await stack.sluice('topology', 'apply');
  stack.consumer.kill('SIGHUP'); // it looks again by itself after a minute
  await until('it is consumed again', async () => (await consumersOf('sluice.billing.replay')) === 1);
});

// Every table but the one that consumers write their own standing into, and every sequence.
const everything = () => stack.query(`SELECT relname, md5(query_to_xml(format('SELECT * FROM %I t ORDER BY t::text', relname), true, false, '')::text)
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'sluice_consumer'
  UNION ALL SELECT sequencename, last_value::text FROM pg_sequences ORDER BY 1`);
async function rehearse(status, ...args) {
  const before = await everything();
  const done = await sluice('dead', 'replay', '--subsystem', 'billing', '--rehearse', '5', ...args, '-o', 'json');
  assert.equal(done.status, status, done.stderr);
  assert.match(done.stderr, /everything was rolled back/);
  assert.deepEqual(await everything(), before, 'nothing has changed');
  return JSON.parse(done.stdout).map(({ outcome, class: errorClass, code, constraint, letters }) => [outcome, errorClass, code, constraint, letters]);
}

test('a rehearsal says what would become of a sample, and nothing of it stays', async () => {
  const plan = await sluice('dead', 'replay', '--subsystem', 'billing');
  assert.match(plan.stderr, /--rehearse 20 tries some of them/);
  assert.deepEqual(await rehearse(0), [['applied', '', '', '', 3]]);
  await refuse();
  assert.deepEqual(await rehearse(3), [['failed', 'permanent', '23514', 'not_refused', 3]]);
  await mend();
  await stack.query(`CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE foreign_key_violation; END $$;
    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON billing_customer DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()`);
  assert.deepEqual(await rehearse(3), [['failed', 'item', '23503', '', 3]], 'what a COMMIT would look at is looked at');
  await stack.query('DROP TRIGGER late ON billing_customer');
  assert.equal((await sender.sendAll([customer('cus_s0')])).get('evt_cus_s0'), 200);
  await until('one was applied since', () => count('sluice_inbox', "event_id = 'evt_cus_s0'"));
  assert.deepEqual(await rehearse(0), [['applied', '', '', '', 2], ['duplicate', '', '', '', 1]]);
  for (const event of ['consumer.delayed', 'consumer.dead_lettered', 'breaker.opened']) {
    assert.ok(!stack.linesOf(stack.consumer, event).some((line) => line.event_id?.startsWith('evt_cus_s') && line.error_code !== 'event.parked'), event);
  }
});

test('a rehearsal that strays is never applied and never a letter', async () => {
  const [[hex]] = await stack.query("SELECT encode(envelope, 'hex') FROM sluice_dead_letter WHERE event_id = 'evt_cus_s1'");
  const before = await everything();
  const connection = await amqp.connect(stack.amqpUrl);
  const channel = await connection.createConfirmChannel();
  for (const [exchange, key] of [['sluice.parked', 'billing'], ['sluice.unrouted', ''], ['sluice.events', 'stripe.customer.created']]) {
    channel.publish(exchange, key, Buffer.from(hex, 'hex'), { persistent: true, messageId: 'evt_cus_s1', headers: { 'sluice-rehearsal': `stray/${exchange}` } });
  }
  await channel.waitForConfirms();
  await connection.close();
  await until('it is answered', () => count('sluice_rehearsal', "copy = 'stray/sluice.events'"));
  await until('the others are gone', async () => (await ready('sluice.billing.parked')) + (await ready('sluice.unrouted')) === 0);
  assert.deepEqual(await stack.query("DELETE FROM sluice_rehearsal RETURNING copy, outcome"), [['stray/sluice.events', 'applied']]);
  assert.deepEqual(await everything(), before, 'nothing has changed');
});

test('what acts outside the database is not rehearsed, and nobody is called', async () => {
  assert.deepEqual(await rehearse(75, '--to', 'hook'), [['untried', '', '', '', 3]]);
  assert.deepEqual(called, []);
  await stack.sluice('queue', 'pause', 'billing');
  await until('it is paused', async () => (await consumersOf('sluice.billing.replay')) === 0);
  assert.equal((await sluice('dead', 'replay', '--subsystem', 'billing')).status, 2, 'a plan needs no consumer');
  const alone = await sluice('dead', 'replay', '--subsystem', 'billing', '--rehearse', '1');
  assert.notEqual(alone.status, 0);
  assert.match(alone.stderr, /nobody consumes sluice\.billing\.replay, .*`sluice queue resume billing`/);
  await stack.sluice('queue', 'resume', 'billing');
  assert.match((await sluice('dead', 'replay', '--subsystem', 'billing', '--rehearse', '1', '--yes')).stderr, /--rehearse changes nothing/);
  assert.equal((await sluice(...all, '--yes', '--reason', 'a test')).status, 0);
  await once('s', 3);
});

test('who replays or gives up says why', async () => {
  for (const args of [[...all, '--yes'], [...all, '--freeze'], ['replay', 'abort', '20260131-140000-1a2b3c']]) {
    const { status, stderr } = await sluice(...args);
    assert.equal(status, 64);
    assert.match(stderr, /--reason is required: /);
  }
});

test('a run goes slower while transactions take much longer than they did, and is paused, resumed and aborted from elsewhere', async () => {
  await mend();
  await setAside('p', 300);
  const worker = start(...all, '--canary', '0', '--rate', '10/s', '--yes', '--reason', 'a test');
  await until('it publishes', async () => (await published('p')) > 0);
  const run = await runOf('p');
  assert.equal((await runNamed(run)).status, 'running');
  const pace = async () => (await sluice('replay', 'show', run)).stdout.match(/^pace +(\d+) a second(.*)$/m);
  await until('it says its pace', pace);
  await stack.query(`CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END $$;
    CREATE TRIGGER doze BEFORE INSERT ON billing_customer FOR EACH ROW EXECUTE FUNCTION doze()`);
  await until('it is slower, and says why', async () => {
    const [, rate, why] = await pace();
    return Number(rate) < 10 && /^, transactions take \d+ ms, \d+ ms at best$/.test(why);
  });
  await stack.query('DROP TRIGGER doze ON billing_customer');
  const other = await sluice('replay', 'resume', run, '--yes');
  assert.match(other.stderr, /another process works on the run/);
  assert.equal((await sluice('replay', 'pause', run, '--reason', 'lunch')).status, 0);
  const paused = await worker.ended;
  assert.equal(paused.status, 130, paused.stderr);
  assert.match(paused.stderr, new RegExp(`sluice replay resume ${run} --yes`));
  const left = (await runNamed(run)).unpublished;
  assert.ok(left > 0);
  const again = start('replay', 'resume', run, '--yes');
  await until('it goes on', async () => (await runNamed(run)).unpublished < left);
  const aborted = await sluice('replay', 'abort', run, '--reason', 'a test');
  assert.equal(aborted.status, 0, aborted.stderr);
  assert.equal((await again.ended).status, 130);
  const { status, replayed, waiting, letters } = await until('what was published is decided', async () => {
    const one = await runNamed(run);
    return one.waiting === 0 && one;
  });
  assert.deepEqual([status, waiting, letters], ['aborted', 0, 300]);
  assert.equal(await count('sluice_dead_letter', `${like('p')} AND status = 'open'`), 300 - replayed);
  assert.ok(replayed > 0 && replayed < 300);
  assert.equal((await sluice(...all, '--rate', '500/s', '--yes', '--reason', 'a test')).status, 0);
  await once('p', 300);
  const acts = (await stack.query(`SELECT act FROM sluice_audit WHERE subject = 'replay ${run}' ORDER BY seq`)).flat();
  assert.deepEqual(acts, ['planned', 'started', 'paused', 'resumed', 'aborted']);
});

test('Ctrl-C pauses the run, and the audit says so', async () => {
  await mend();
  await setAside('c', 20);
  const worker = start(...all, '--canary', '0', '--rate', '1/s', '--yes', '--reason', 'a test');
  await until('it publishes', async () => (await published('c')) > 0);
  const run = await runOf('c');
  worker.kill('SIGINT');
  assert.equal((await worker.ended).status, 130);
  const { status, why } = await runNamed(run);
  assert.deepEqual([status, why], ['paused', 'stopped by a signal']);
  assert.equal((await sluice('replay', 'resume', run, '--yes')).status, 0);
  await once('c', 20);
});

test('while a breaker of its type is open nothing is published; afterwards the run goes on by itself', async () => {
  await mend();
  await setAside('h', 10);
  await stack.sluice('breaker', 'trip', 'billing', 'customer.created', '--reason', 'a test');
  await until('the consumer shows it', async () => (await stack.value("SELECT count(*) FROM sluice_consumer WHERE subsystem = 'billing' AND breakers::text LIKE '%customer.created%'")) === '1');
  const worker = start(...all, '--yes', '--reason', 'a test', '-o', 'json');
  let said = '';
  worker.stderr.on('data', (part) => { said += part; });
  await until('it waits', () => /waiting: a breaker is open/.test(said));
  assert.equal(await published('h'), 0);
  assert.match((await sluice('replay', 'show', await runOf('h'))).stdout, /^pace +waiting, a breaker is open/m);
  await stack.sluice('breaker', 'close', 'billing', 'customer.created');
  const done = await worker.ended;
  assert.equal(done.status, 0, done.stderr);
  assert.equal(JSON.parse(done.stdout)[0].replayed, 10);
  await once('h', 10);
});

test('what a person gives up or takes back is in the audit too', async () => {
  await setAside('g', 2);
  assert.equal((await sluice('dead', 'discard', '--subsystem', 'billing', '--reason', 'of a test account', '--yes')).status, 0);
  assert.equal((await sluice('dead', 'restore', '--subsystem', 'billing', '--yes')).status, 0);
  const ids = `(SELECT jsonb_agg(id ORDER BY id) FROM sluice_dead_letter WHERE ${like('g')})`;
  assert.deepEqual(await stack.query(`SELECT act, reason, detail->'letters' = ${ids} FROM sluice_audit WHERE subject = 'dead letters' ORDER BY seq`),
    [['discarded', 'of a test account', 't'], ['restored', '', 't']]);
  assert.equal((await sluice(...all, '--yes', '--reason', 'a test')).status, 0);
});

test('letters are redirected to another subsystem, and judged by its inbox', async () => {
  await mend();
  await setAside('r', 3);
  assert.match((await sluice(...all, '--to', 'billing', '--yes', '--reason', 'a test')).stderr, /--to takes another subsystem/);
  assert.match((await sluice(...all, '--to', 'nowhere', '--yes', '--reason', 'a test')).stderr, /queue sluice\.nowhere does not exist/);
  const done = await sluice(...all, '--to', 'spare', '--yes', '--reason', 'a test', '-o', 'json');
  assert.equal(done.status, 0, done.stderr);
  assert.equal(JSON.parse(done.stdout)[0].replayed, 3);
  await once('r', 3, 'spare');
  await once('r', 0);
});

test('what the target of a redirect gives up is open again where it came from', async () => {
  await mend();
  await setAside('x', 2);
  await refuse();
  const failed = await sluice(...all, '--to', 'spare', '--yes', '--reason', 'a test', '-o', 'json');
  assert.equal(failed.status, 3, failed.stderr);
  assert.equal(JSON.parse(failed.stdout)[0].failed_again, 2);
  assert.deepEqual(await stack.query(`SELECT subsystem, status, count(*) FROM sluice_dead_letter WHERE ${like('x')} GROUP BY 1, 2 ORDER BY 1`),
    [['billing', 'open', '2'], ['spare', 'open', '2']]);
  await mend();
  assert.equal((await sluice(...all, '--yes', '--reason', 'a test')).status, 0);
  assert.equal((await sluice('dead', 'replay', '--subsystem', 'spare', '--yes', '--reason', 'a test')).status, 0);
});

test(`a replay of ${many} letters that is killed again and again ends with each event applied once`, async () => {
  await mend();
  await setAside('k', many);
  let args = [...all, '--class', 'parked by operator', '--rate', `${many / 10}/s`, '--yes', '--reason', 'the test is over'];
  let run;
  for (const share of [0.1, 0.4, 0.7]) {
    const worker = start(...args);
    await until(`${share} are published`, async () => (await published('k')) >= many * share, 300000);
    worker.kill('SIGKILL');
    assert.equal((await worker.ended).status, 'SIGKILL');
    run = await stack.value(`SELECT DISTINCT replay_run FROM sluice_dead_letter WHERE ${like('k')}`);
    await until('it is seen to be cut off', async () => (await runNamed(run)).status === 'cut off');
    args = ['replay', 'resume', run, '--yes', '-o', 'json', '--wait', '5m'];
  }
  assert.ok(await published('k') < many, 'it was killed before it had ended');
  const done = await sluice(...args);
  assert.equal(done.status, 0, done.stderr);
  const [{ replayed, failed_again: failed, status }] = JSON.parse(done.stdout);
  assert.deepEqual([replayed, failed, status], [many, 0, 'done']);
  assert.equal(await count('sluice_dead_letter', `${like('k')} AND status = 'replayed'`), many);
  assert.equal(await count('sluice_replay_item', `run = '${run}' AND outcome = 'applied'`), many);
  assert.equal(await count('sluice_inbox', `${like('k')} AND verdict = 'replayed'`), many);
  assert.equal(await count('billing_customer', "id LIKE 'cus_k%'"), many);
  await once('k', many);
});

test('a row of the audit that was changed, taken out or cut off is found', async () => {
  await mend();
  await setAside('v', 2);
  for (const what of ['discard', 'restore', 'discard', 'restore']) {
    assert.equal((await sluice('dead', what, '--subsystem', 'billing', '--reason', 'a test', '--yes')).status, 0);
  }
  assert.equal((await sluice(...all, '--yes', '--reason', 'a test')).status, 0);
  const sound = await json('replay', 'verify');
  assert.equal(sound[0].verdict, 'unchanged');
  assert.ok(sound[0].rows >= 8);
  assert.equal((await sluice('replay', 'verify', '--head', sound[0].head)).status, 0);
  await assert.rejects(stack.query("UPDATE sluice_audit SET actor = 'nobody'"), /append-only/);
  await assert.rejects(stack.query('DELETE FROM sluice_audit'), /append-only/);
  await assert.rejects(stack.query('TRUNCATE sluice_audit'), /append-only/);
  const after = async (sql, said) => {
    await stack.query(`CREATE TABLE kept AS SELECT * FROM sluice_audit; ALTER TABLE sluice_audit DISABLE TRIGGER sluice_audit_append_only; ${sql}`);
    const { status, stdout } = await sluice('replay', 'verify', '-o', 'json');
    assert.equal(status, 1, sql);
    assert.match(JSON.parse(stdout)[0].why, said);
    await stack.query('DELETE FROM sluice_audit; INSERT INTO sluice_audit SELECT * FROM kept; DROP TABLE kept');
    assert.equal((await sluice('replay', 'verify')).status, 0);
  };
  await after("UPDATE sluice_audit SET actor = 'nobody' WHERE seq = 3", /row 3 is not what was written/);
  await after('DELETE FROM sluice_audit WHERE seq = 5', /row 5 is missing/);
  await after('DELETE FROM sluice_audit WHERE seq > (SELECT max(seq) - 2 FROM sluice_audit)', /does not stand as its last row says/);
  const elsewhere = await sluice('replay', 'verify', '--head', '00'.repeat(32), '-o', 'json');
  assert.equal(elsewhere.status, 1);
  assert.match(JSON.parse(elsewhere.stdout)[0].why, /written anew/);
});
