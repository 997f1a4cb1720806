// queue - a person's hands on the queues: see them, stop one, change how it is worked on, take an event out of its way, wait until it is empty.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import { customerCreated } from './lib/events.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

let stack;
let sender;

const sections = `[billing]
handler = billing
bindings = stripe.#
workers = 2
batch = 100
critical = true

[shadow]
handler = billing
bindings = stripe.customer.#

[patient]
handler = billing
bindings = stripe.product.#
critical = true
delay = 20s product.deleted:20s
`;

before(async () => {
  const sql = `ALTER TABLE billing_subscription ADD CONSTRAINT subscription_has_customer
      FOREIGN KEY (account, livemode, customer) REFERENCES billing_customer (account, livemode, id);
    CREATE FUNCTION stop_everybody() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER stop_everybody BEFORE INSERT ON billing_customer FOR EACH ROW WHEN (NEW.name = 'Stopper') EXECUTE FUNCTION stop_everybody()`;
  stack = await Stack.start('queue', { subsystems: sections, sql, consumer: { QUEUE_DEFAULT_ATTEMPTS: '3', QUEUE_BACKOFF_DELAY: '8000' } }); // long enough to look at what waits on a slow machine
  sender = new Sender(stack);
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const customer = (id, name = 'Somebody') => customerCreated(id, { name });
const subscription = (id, of) => ({ id: `evt_${id}`, type: 'customer.subscription.created', created: 1700000001, livemode: false,
  data: { object: { id, object: 'subscription', customer: of, status: 'active', created: 1700000001, items: { object: 'list', data: [], has_more: false } } } });
async function send(...events) {
  for (const status of (await sender.sendAll(events)).values()) assert.equal(status, 200);
}
const many = (prefix, count) => Array.from({ length: count }, (_, n) => customer(`${prefix}${n}`));

const sluice = (args, extra) => stack.tool(args, extra);
async function well(...args) {
  const result = await sluice(args);
  assert.equal(result.status, 0, `${args.join(' ')}\n${result.stderr}`);
  return result;
}
const list = async (name = 'billing', extra = {}) => JSON.parse((await sluice(['queue', 'list', '-o', 'json'], extra)).stdout).find((one) => one.subsystem === name);
const applied = (prefix, subsystem = 'billing') => stack.value(`SELECT count(*) FROM sluice_inbox WHERE subsystem = '${subsystem}' AND event_id LIKE 'evt_${prefix}%'`).then(Number);
const consumer = (column, subsystem = 'billing') => stack.value(`SELECT ${column} FROM sluice_consumer WHERE subsystem = '${subsystem}' ORDER BY seen_at DESC LIMIT 1`);
const gauge = (name, label = '{subsystem="billing"}') => stack.metric(`${name}${label} `, stack.consumerPort);
const health = async () => (await fetch(`http://127.0.0.1:${stack.consumerPort}/health`)).json();

test('a paused subsystem takes nothing, its neighbour goes on, and nothing is spent or lost', async () => {
  const paused = await well('queue', 'pause', 'billing', '--reason', 'a test');
  assert.match(paused.stderr, /followed by every running consumer/);
  await send(...many('cus_p', 50));
  await until('the neighbour has them', async () => (await applied('cus_p', 'shadow')) === 50);
  assert.equal(await applied('cus_p'), 0);
  const line = await list();
  assert.deepEqual([line.waiting, line.unacked, line.consumers, line.state], [50, 0, 0, 'paused']);
  assert.match(line.settings, /^paused since 20\d\d-\d\d-\d\dT\d\d:\d\dZ$/);
  assert.deepEqual((await health()).paused, ['billing']);
  assert.match((await sluice(['health', 'consumer'], { SLUICE_CONSUMER_URL: `http://127.0.0.1:${stack.consumerPort}` })).stdout, /paused: billing/);
  assert.equal(await gauge('sluice_consumer_paused'), 1);
  await until('the gauge shows what waits', async () => (await gauge('sluice_queue_ready')) === 50);
  await well('queue', 'resume', 'billing');
  await until('all are applied', async () => (await applied('cus_p')) === 50);
  assert.equal((await health()).paused, undefined);
  assert.equal(await stack.value('SELECT count(*) FROM sluice_attempt'), '0');
});

test('a pause holds over a restart of the consumer', async () => {
  await well('queue', 'pause', 'billing');
  assert.equal((await stack.terminate(stack.consumer)).code, 0);
  await send(...many('cus_r', 20));
  await stack.startConsumer();
  await until('the neighbour has them', async () => (await applied('cus_r', 'shadow')) === 20);
  await until('the new consumer says that it is paused', async () => (await list()).consumers === 0 && (await gauge('sluice_consumer_paused')) === 1);
  assert.equal(await applied('cus_r'), 0);
  await well('queue', 'resume', 'billing');
  await until('all are applied', async () => (await applied('cus_r')) === 20);
});

// Nobody may take it for working before it does: a deployment ends the old one then.
test('who says that it is ready takes deliveries, however long what operators have set cannot be read', async () => {
  assert.equal((await stack.terminate(stack.consumer)).code, 0);
  const before = stack.linesOf(stack.consumer, 'consumer.started').length;
  const release = await stack.lock('LOCK TABLE sluice_control');
  try {
    await stack.startConsumer();
    const readyAt = new Date().toISOString();
    const lines = (await stack.said(stack.consumer, 'consumer.started', before + 4)).slice(before); // one of each worker
    for (const { ts } of lines) assert.ok(ts <= readyAt, `ready at ${readyAt}, began at ${ts}`);
  } finally {
    await release();
  }
  await until('it is seen to work, so that the next order waits for it', async () => (await stack.value("SELECT count(*) FROM sluice_consumer WHERE subsystem = 'billing'")) === '1');
});

test('a pause with an end ends by itself', async () => {
  await well('queue', 'pause', 'billing', '--for', '10s'); // so long that it is followed first
  await send(customer('cus_f'));
  await until('it is applied', async () => (await applied('cus_f')) === 1);
  assert.equal((await list()).settings, '');
});

test('paused and resumed again and again under load, every event is applied once and none is given up', async () => {
  const events = many('cus_l', 3000);
  const sending = sender.sendAll(events);
  for (let n = 0; n < 10; n += 1) {
    await stack.query(n % 2 === 0
      ? "INSERT INTO sluice_control (subsystem, name, value) VALUES ('billing', 'paused', 'true') ON CONFLICT (subsystem, name) DO UPDATE SET expires_at = NULL"
      : "DELETE FROM sluice_control WHERE subsystem = 'billing'");
    const wanted = n % 2 === 0 ? 't' : 'f';
    await until(`pause ${n} is followed`, async () => (await consumer('paused')) === wanted);
  }
  for (const status of (await sending).values()) assert.equal(status, 200);
  await until('all are applied', async () => (await applied('cus_l')) === 3000, 60000);
  assert.equal(await stack.value("SELECT count(*) FROM billing_customer WHERE id LIKE 'cus_l%'"), '3000');
  assert.equal(await stack.value('SELECT count(*) FROM sluice_dead_letter'), '0');
  assert.equal(await stack.value('SELECT count(*) FROM sluice_attempt'), '0');
});

test('non-critical subsystems are paused together, and those named otherwise are not known', async () => {
  await well('queue', 'pause', '--non-critical');
  assert.match((await list('shadow')).settings, /paused/);
  assert.equal((await list('billing')).settings, '');
  const only = JSON.parse((await well('queue', 'list', '--non-critical', '-o', 'json')).stdout);
  assert.deepEqual(only.map((one) => one.subsystem), ['shadow']);
  await well('queue', 'resume', '--all');
  const { status, stderr } = await sluice(['queue', 'pause', 'biling']);
  assert.equal(status, 64);
  assert.match(stderr, /did you mean billing/);
});

test('settings are followed while it works, shown, and taken back', async () => {
  assert.equal(await consumer('workers'), '2');
  const { stdout } = await well('queue', 'set', 'billing', 'batch=5', 'workers=1', 'attempts=2', '--for', '1h', '--reason', 'locks', '-o', 'json');
  assert.deepEqual(JSON.parse(stdout).map((row) => [row.setting, row.value, row.reason]), [['attempts', '2', 'locks'], ['batch', '5', 'locks'], ['workers', '1', 'locks']]);
  await until('they are followed', async () => (await consumer("workers || ' ' || batch || ' ' || attempts")) === '1 5 2');
  assert.match((await list()).settings, /batch=5 until/);
  for (const [setting, said] of [['batch=101', /batch takes a number from 1 to 100/], ['workers=3', /from 1 to 2/], ['colour=red', /none of attempts=N/]]) {
    const { status, stderr } = await sluice(['queue', 'set', 'billing', setting]);
    assert.equal(status, 64);
    assert.match(stderr, said);
  }
  await well('queue', 'set', 'billing', '--reset');
  await until('the section holds again', async () => (await consumer("workers || ' ' || batch || ' ' || attempts")) === '2 100 3');
  assert.equal((await list()).settings, '');
});

test('without retries the first failure is the last; drain waits for what is delayed', async () => {
  await well('queue', 'set', 'billing', 'retries=off');
  await send(subscription('sub_off', 'cus_nobody'));
  await until('it is a dead letter at its first try', async () => (await stack.value("SELECT attempts FROM sluice_dead_letter WHERE event_id = 'evt_sub_off' AND subsystem = 'billing'")) === '1');
  await well('queue', 'set', 'billing', '--reset');

  await send(subscription('sub_late', 'cus_late'));
  await until('it is delayed', async () => (await stack.value("SELECT count(*) FROM sluice_attempt WHERE event_id = 'evt_sub_late' AND subsystem = 'billing'")) === '1');
  const early = await sluice(['queue', 'drain', 'billing', '--timeout', '1s']);
  assert.equal(early.status, 75, early.stdout);
  assert.match(early.stderr, /1 delayed/);
  await send(customer('cus_late'));
  const { stdout } = await well('queue', 'drain', 'billing', '--timeout', '60s');
  assert.match(stdout, /nothing waits, nothing is in hand, nothing is delayed/);
  assert.equal(await applied('sub_late'), 1);
});

test('what waits for its first try counts as delayed, and drain waits for it', async () => {
  await send({ ...customer('prod_first'), type: 'product.created' });
  await until('its neighbour has it', async () => (await applied('prod_first')) === 1);
  const { delayed, waiting, unacked } = await list('patient');
  assert.deepEqual([delayed, waiting, unacked], [1, 0, 0]);
  assert.equal((await list()).delayed, 0);
  const early = await sluice(['queue', 'drain', 'patient', '--timeout', '1s']);
  assert.equal(early.status, 75, early.stdout);
  assert.match(early.stderr, /1 delayed; all that is left waits for its first try, at most 20 s/);
  await well('queue', 'drain', 'patient', '--timeout', '90s');
  assert.equal(await applied('prod_first', 'patient'), 1);
});

test('drain says when it is not draining, and why', async () => {
  await well('queue', 'pause', 'billing');
  await send(customer('cus_d'));
  const { status, stderr } = await sluice(['queue', 'drain', 'billing', '--timeout', '2s']);
  assert.equal(status, 75);
  assert.match(stderr, /not draining: paused; sluice queue resume billing/);
  await well('queue', 'resume', 'billing');
  await well('queue', 'drain', 'billing', '--timeout', '60s');
});

test('an event that waits is parked by order, found as such, and applied when it is wanted again', async () => {
  await well('queue', 'pause', 'billing');
  await send(customer('cus_k1'), customer('cus_k2'));
  await well('dead', 'park', '--event', 'evt_cus_k1', '--subsystem', 'billing', '--reason', 'wrong name');
  await well('queue', 'resume', 'billing');
  const letter = await until('its letter', async () => (await stack.query("SELECT error_class, error_code, reason, error, attempts FROM sluice_dead_letter WHERE event_id = 'evt_cus_k1'"))[0]);
  assert.deepEqual(letter, ['parked by operator', 'event.parked', 'parked', 'parked by an operator: wrong name', '1']);
  await until('its neighbour is applied', async () => (await applied('cus_k2')) === 1);
  assert.equal(await applied('cus_k1'), 0);
  assert.equal(await applied('cus_k1', 'shadow'), 1);
  await well('dead', 'unpark', '--event', 'evt_cus_k1', '--subsystem', 'billing');
  await well('dead', 'replay', '--class', 'parked by operator', '--subsystem', 'billing', '--yes', '--reason', 'a test');
  assert.equal(await applied('cus_k1'), 1);
});

test('an event that stops everybody is taken out of the way while it stops them', async () => {
  await send(customer('cus_stopper', 'Stopper'), ...many('cus_s', 10));
  await until('the consumer holds', () => stack.logOf(stack.consumer).includes('"event":"consumer.held"'));
  for (const subsystem of ['billing', 'shadow']) {
    await until('it is in hand', async () => Number(await consumer('held', subsystem)) > 0);
  }
  await until('its age is seen', async () => (await gauge('sluice_queue_oldest_timestamp_seconds')) > 1700000000);
  assert.ok((await list()).oldest_s >= 0);
  await well('dead', 'park', '--event', 'evt_cus_stopper', '--reason', 'stops everybody');
  await until('all others are applied', async () => (await applied('cus_s')) === 10 && (await applied('cus_s', 'shadow')) === 10, 90000);
  await until('it is a dead letter of both', async () =>
    (await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE event_id = 'evt_cus_stopper' AND error_class = 'parked by operator'")) === '2', 90000);
  await well('dead', 'unpark', '--event', 'evt_cus_stopper');
  await until('gauges show open letters and failed tries', async () => (await gauge('sluice_dead_letters_open')) >= 2 && (await gauge('sluice_consumer_failure_percent')) >= 1);
});

test('a whole type is parked for one subsystem', async () => {
  await well('dead', 'park', '--type', 'customer.subscription.*', '--subsystem', 'shadow', '--reason', 'bad release', '--for', '1h');
  await send(customer('cus_t'));
  await until('the parent is there', async () => (await applied('cus_t')) === 1 && (await applied('cus_t', 'shadow')) === 1);
  await send(subscription('sub_t', 'cus_t'));
  await until('one has it, the other set it aside', async () => (await applied('sub_t')) === 1 &&
    (await stack.value("SELECT error FROM sluice_dead_letter WHERE event_id = 'evt_sub_t' AND subsystem = 'shadow'")) === 'parked by an operator: bad release');
  await well('dead', 'unpark', '--type', 'customer.subscription.*', '--subsystem', 'shadow');
});

test('a type whose events cannot even be read is parked by order all the same: no fault of its own, its breaker stays closed', async () => {
  const type = 'customer.subscription.pending_update_expired';
  const unreadable = (n) => ({ id: `evt_odd${n}`, type, created: 1700000001, livemode: false, data: { object: { id: n, object: 'subscription' } } });
  await well('dead', 'park', '--type', type, '--subsystem', 'billing', '--reason', 'poison', '--for', '1h');
  await send(...Array.from({ length: 10 }, (_, n) => unreadable(n)));
  await until('each is set aside', async () => (await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE subsystem = 'billing' AND event_id LIKE 'evt_odd%'")) === '10');
  assert.deepEqual(await stack.query("SELECT DISTINCT error_class, error_code, error FROM sluice_dead_letter WHERE subsystem = 'billing' AND event_id LIKE 'evt_odd%'"),
    [['parked by operator', 'event.parked', 'parked by an operator: poison']]);
  const opened = (subsystem) => stack.linesOf(stack.consumer, 'breaker.opened').filter((line) => line.subsystem === subsystem && line.event_type === type).length;
  await until('the neighbour, which nobody told, holds the type back', () => opened('shadow') === 1);
  assert.equal(opened('billing'), 0);
  await well('dead', 'unpark', '--type', type, '--subsystem', 'billing');
});

test('what is not known is unknown, never 0', async () => {
  const broker = { AMQP_URL: 'amqp://guest:guest@127.0.0.1:1' };
  const blind = await list('billing', broker);
  assert.deepEqual([blind.waiting, blind.consumers, blind.parked], [null, null, null]);
  assert.equal(typeof blind.letters, 'number');
  assert.match((await sluice(['queue', 'list'], broker)).stdout, /unknown/);
  const forgetful = await list('billing', { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
  assert.deepEqual([forgetful.letters, forgetful.delayed === 0 || forgetful.delayed === null], [null, true]);
  assert.equal(typeof forgetful.waiting, 'number');
  assert.equal((await sluice(['queue', 'list'], { ...broker, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })).status, 69);
});
