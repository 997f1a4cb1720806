// diagnose - `sluice queue diagnose` while its causes really happen: nobody consumes, a lock stands in the way, a handler is slow, a foreign key
// refuses what comes again and again, events that never pass, more than ever came before, a database that fails for every event, and none at all.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const subsystems = `
[billing]
handler = billing
bindings = stripe.customer.#
batch = 100
owner = payments
severity = critical
impact = access is decided on old facts

[work]
handler = sql
function = work
bindings = stripe.product.#
batch = 1
prefetch = 10
attempts = 6
backoff = 3s
breaker_samples = 10000
breaker_consecutive = 1000
breaker_ratio = 100%
`;
// What an event's object is called decides how it goes.
const sql = `
CREATE TABLE desk (id integer PRIMARY KEY);
INSERT INTO desk VALUES (1);
CREATE FUNCTION work(object text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF object LIKE 'slow%' THEN PERFORM pg_sleep(1.5);
  ELSIF object LIKE 'desk%' THEN PERFORM * FROM desk FOR UPDATE;
  ELSIF object LIKE 'again%' THEN RAISE EXCEPTION 'its parent is not there' USING ERRCODE = '23503';
  ELSIF object LIKE 'never%' THEN RAISE EXCEPTION 'no such colour' USING ERRCODE = '22023';
  ELSIF object LIKE 'stopper%' THEN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100';
  END IF;
END $$`;

let stack;
let sender;

before(async () => {
  stack = await Stack.start('diagnose', { subsystems, sql });
  sender = new Sender(stack);
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const product = (id) => ({ id: `evt_${id}`, type: 'product.created', created: 1700000000, livemode: false, data: { object: { id, object: 'product' } } });
const customer = (id) => ({ id: `evt_${id}`, type: 'customer.created', created: 1700000000, livemode: false, data: { object: { id, object: 'customer', created: 1700000000 } } });
const many = (prefix, count, make = product) => Array.from({ length: count }, (_, n) => make(`${prefix}_${n}`));
async function send(events) {
  for (const status of (await sender.sendAll(events)).values()) assert.equal(status, 200);
}
const sluice = (args, extra) => stack.tool(args, extra);
async function diagnosed(subsystem, cause, extra) {
  const { status, stdout, stderr } = await sluice(['queue', 'diagnose', subsystem, '-o', 'json'], extra);
  assert.notEqual(stdout, '', stderr);
  const [found] = JSON.parse(stdout);
  if (found.cause !== cause) throw new Error(`${found.cause}: ${found.evidence}`);
  return { status, ...found };
}
const eventually = (subsystem, cause) => until(cause, () => diagnosed(subsystem, cause), 60000);
const drained = (subsystem) => sluice(['queue', 'drain', subsystem, '--timeout', '120s']);

test('nothing is wrong, and that is status 0', async () => {
  await send(many('calm', 3));
  await until('they are applied', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id LIKE 'evt_calm%'")) === '3');
  const { status, next } = await eventually('work', 'nothing wrong');
  assert.deepEqual([status, next], [0, '']);
});

test('slow processing: the handler takes its time', async () => {
  await send(many('slow', 30));
  const { status, evidence, next } = await eventually('work', 'slow processing');
  assert.equal(status, 1);
  assert.match(evidence, /\d+ waiting.*its longest transaction is at work for \d{4} ms/);
  assert.equal(next, 'sluice scale advise work');
  assert.equal((await drained('work')).status, 0);
});

test('database: another session holds what its workers need', async () => {
  const release = await stack.lock('SELECT * FROM desk FOR UPDATE');
  try {
    await send(many('desk', 20));
    const { evidence } = await eventually('work', 'database');
    assert.match(evidence, /1 sessions of its workers wait for a lock; held by pid \d+ \(psql\), in its transaction for \d+ s/);
  } finally {
    await release();
  }
  assert.equal((await drained('work')).status, 0);
});

test('database: it fails for every event, as its own breaker says', async () => {
  await send([product('stopper_1'), ...many('behind', 20)]);
  const { evidence, next } = await eventually('work', 'database');
  assert.match(evidence, /the consumers hold the breaker of the database open: it fails for every event; \d+ waiting/);
  assert.equal(next, 'runbooks/postgres.md');
  assert.equal((await sluice(['dead', 'park', '--event', 'evt_stopper_1', '--subsystem', 'work', '--reason', 'stops everybody'])).status, 0);
  assert.equal((await drained('work')).status, 0);
  await stack.query('DELETE FROM sluice_dead_letter');
});

test('retry storm: events come again and again', async () => {
  await send(many('again', 40));
  await until('each has failed', async () => (await stack.value("SELECT count(DISTINCT event_id) FROM sluice_attempt WHERE event_id LIKE 'evt_again%'")) === '40');
  const { evidence, next } = await eventually('work', 'retry storm');
  assert.match(evidence, /\d+ failed tries in 5 min of 40 events; .*mostly product\.created 23503/);
  assert.match(next, /queue set work retries=off/);
  await stack.query('DELETE FROM sluice_attempt');
});

test('poison: many that never pass', async () => {
  await send(many('never', 60));
  await until('they are letters', async () => (await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE event_id LIKE 'evt_never%'")) === '60', 60000);
  const { evidence, next } = await eventually('work', 'poison');
  assert.match(evidence, /\d+ given up in 15 min, 60 of one cause; mostly product\.created 22023/);
  assert.equal(next, 'sluice dead groups --subsystem work --since 15m');
});

test('consumer outage: it was killed; the section says whom that hurts', async () => {
  assert.equal((await stack.terminate(stack.consumer)).code, 0);
  await send(many('cus_alone', 30, customer));
  const { status, evidence, severity, owner, impact } = await eventually('billing', 'consumer outage');
  assert.equal(status, 1);
  assert.match(evidence, /30 waiting/);
  assert.match(evidence, /no consumer has said anything for 15 s/);
  assert.deepEqual([severity, owner, impact], ['critical', 'payments', 'access is decided on old facts']);
  const { stdout } = await sluice(['queue', 'diagnose', 'billing']);
  assert.match(stdout, /^billing: consumer outage\n {4}30 waiting\n[^]*critical for payments: access is decided on old facts\n {2}next: start sluice-consumer/);
  await stack.startConsumer();
});

test('producer storm: more comes in than ever, and than goes out', async () => {
  await drained('billing');
  await sluice(['queue', 'set', 'billing', 'batch=1']);
  await stack.query(`CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$;
    CREATE TRIGGER take_time BEFORE INSERT ON billing_customer FOR EACH ROW EXECUTE FUNCTION take_time()`);
  const sending = sender.sendAll(many('cus_storm', 3000, customer));
  const { evidence, next } = await eventually('billing', 'producer storm');
  assert.match(evidence, /usually in 0\.0\/s/);
  assert.equal(next, 'sluice ingest pause --for 10m');
  await sending;
  await stack.query('DROP TRIGGER take_time ON billing_customer');
  await sluice(['queue', 'set', 'billing', '--reset']);
  assert.equal((await drained('billing')).status, 0);
});

test('paused is said, and no Postgres is the database; no broker is an error', async () => {
  assert.equal((await sluice(['queue', 'pause', 'billing'])).status, 0);
  const { status, next } = await diagnosed('billing', 'paused');
  assert.deepEqual([status, next], [0, 'sluice queue resume billing']);
  assert.equal((await sluice(['queue', 'resume', 'billing'])).status, 0);
  const nowhere = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
  assert.match((await diagnosed('billing', 'database', nowhere)).evidence, /Postgres gives no session/);
  const { status: unreachable, stderr } = await sluice(['queue', 'diagnose'], { AMQP_URL: 'amqp://guest:guest@127.0.0.1:1' });
  assert.equal(unreachable, 69);
  assert.match(stderr, /the broker does not tell: .*rabbitmq-unavailable\.md/);
  const { status: wrong, stderr: hint } = await sluice(['queue', 'diagnose', 'biling']);
  assert.equal(wrong, 64);
  assert.match(hint, /did you mean billing\?/);
});
