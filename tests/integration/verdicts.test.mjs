// verdicts - whose fault a refusal is: one event's, that of many alike, or the database's; on a real one.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import amqp from 'amqplib';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

let stack;
let sender;

before(async () => {
  stack = await Stack.start('verdicts', { subsystems: '[billing]\nhandler = billing\nbindings = stripe.#\nbreaker_probe = 2s\n', consumer: { QUEUE_BACKOFF_DELAY: '1000', LOG_LEVEL: 'debug' } });
  sender = new Sender(stack);
  // What a customer's name says is what Postgres does with it.
  await stack.query(`CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.name LIKE 'memory%' THEN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END IF;
      RETURN NEW; END $$;
    CREATE TRIGGER act BEFORE INSERT OR UPDATE ON billing_customer FOR EACH ROW EXECUTE FUNCTION act();
    ALTER TABLE billing_customer ADD CONSTRAINT not_refused CHECK (name NOT LIKE 'refused%')`);
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const customer = (id, name) => ({ id: `evt_${id}`, type: 'customer.created', created: 1700000000, livemode: false,
  data: { object: { id: `cus_${id}`, object: 'customer', created: 1700000000, name } } });
const lines = (event) => stack.logOf(stack.consumer).split('\n').filter((line) => line.includes(`"event":"${event}"`)).map((line) => JSON.parse(line));
const count = (sql) => stack.value(`SELECT count(*) FROM ${sql}`).then(Number);

// Lets the events come as few large batches: while the table is locked, what cannot be begun with gathers behind the first.
async function asBacklog(events) {
  const release = await stack.lock('LOCK TABLE billing_customer IN EXCLUSIVE MODE');
  try {
    for (const answer of (await sender.sendAll(events)).values()) assert.equal(answer, 200);
    await until('all of them are held', async () => (await stack.metric('sluice_consumer_inflight', stack.consumerPort)) === events.length);
  } finally {
    await release();
  }
}

test('of a thousand events with one bad row 999 are applied, in at most two log two n and one transactions', async () => {
  const tries = () => ['consumer.applied', 'consumer.probe', 'consumer.bisect'].reduce((sum, event) => sum + lines(event).length, 0);
  const before = tries();
  await asBacklog(Array.from({ length: 1000 }, (_, n) => customer(`k${n}`, n === 617 ? 'refused' : `name ${n}`)));
  await until('999 are applied', async () => (await count("sluice_inbox WHERE event_id LIKE 'evt_k%' AND verdict = 'applied'")) === 999, 60000);
  await until('one is a dead letter', async () => (await count("sluice_dead_letter WHERE event_id = 'evt_k617' AND error_code = '23514' AND attempts = 1")) === 1);
  // Of 500, which is a batch, the whole and then at most two a halving; the other half thousand is one more, or two when the backlog came in three.
  const transactions = tries() - before;
  console.log(`${transactions} transactions, ${lines('consumer.probe').length} of them failed probes`);
  assert.ok(transactions <= 2 * Math.ceil(Math.log2(500)) + 1 + 2, `${transactions} transactions`);
});

test('a mistake of ours gives no event up: what fails alike is held back, and applied when the mistake is mended', async () => {
  await stack.query("ALTER TABLE billing_customer ADD CONSTRAINT mistake CHECK (name NOT LIKE 'good%')");
  await asBacklog(Array.from({ length: 200 }, (_, n) => customer(`m${n}`, n >= 100 && n % 2 === 0 ? `good ${n}` : `other ${n}`)));
  await until('it is said', () => lines('breaker.opened').some((line) => line.event_type === 'customer.created'), 60000);
  assert.equal(await count("sluice_dead_letter WHERE event_id LIKE 'evt_m%'"), 0);
  await stack.query('ALTER TABLE billing_customer DROP CONSTRAINT mistake');
  await until('all are applied', async () => (await count("sluice_inbox WHERE event_id LIKE 'evt_m%' AND verdict = 'applied'")) === 200, 60000);
  assert.equal(await count("sluice_dead_letter WHERE event_id LIKE 'evt_m%'"), 0);
  assert.equal(await count("sluice_attempt WHERE event_id LIKE 'evt_m%'"), 0);
});

test('one event that makes the database look sick is found by its neighbours and waits its turn, they do not wait for it', async () => {
  await asBacklog(Array.from({ length: 50 }, (_, n) => customer(`s${n}`, n === 0 ? 'memory' : `name ${n}`)));
  await until('its neighbours are applied', async () => (await count("sluice_inbox WHERE event_id LIKE 'evt_s%'")) === 49, 60000);
  await until('it is delayed', () => lines('consumer.delayed').some((line) => line.event_id === 'evt_s0' && line.error_code === '53200'), 60000);
  await stack.query('DROP TRIGGER act ON billing_customer');
  await until('it is applied', async () => (await count("sluice_inbox WHERE event_id = 'evt_s0' AND verdict = 'applied'")) === 1, 60000);
});

test('a row that somebody locks holds only its own event up, and spends no dead letter', async () => {
  const locked = customer('l0', 'first');
  assert.equal((await sender.signed(JSON.stringify(locked))).status, 200);
  await until('it is there', async () => (await count("billing_customer WHERE id = 'cus_l0'")) === 1);
  const release = await stack.lock("SELECT FROM billing_customer WHERE id = 'cus_l0' FOR UPDATE");
  const later = { ...customer('l0', 'second'), id: 'evt_l0b', type: 'customer.updated', created: 1700000009 };
  assert.equal((await sender.signed(JSON.stringify(later))).status, 200);
  await until('contention is met', () => lines('consumer.retry').length > 0, 60000);
  await release();
  await until('it is applied', async () => (await count("billing_customer WHERE id = 'cus_l0' AND name = 'second'")) === 1, 60000);
  assert.equal(await count("sluice_dead_letter WHERE event_id LIKE 'evt_l0%'"), 0);
});

test('nothing is left in a queue', async () => {
  const channel = await (await amqp.connect(stack.amqpUrl)).createChannel();
  for (const queue of ['sluice.billing', 'sluice.billing.parked', 'sluice.unrouted']) {
    await until(`${queue} is empty`, async () => (await channel.checkQueue(queue)).messageCount === 0);
  }
  await channel.connection.close();
});
