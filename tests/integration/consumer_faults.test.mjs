// consumer_faults - the consumer's half of a bad night on servers that stay as they are, under load that goes on: it is killed at any moment and deployed again and again, commits lose
// their answer, others are in its way. The same rows, no attempt spent on what was nobody's fault, nothing given up.
import assert from 'node:assert/strict';
import { test, afterEach } from 'node:test';
import { FaultProxy } from '../outage/lib/faultproxy.mjs';
import { stories, wrongRows } from './lib/events.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { appliesMore, goOnThrough } from './lib/through.mjs';

const isLong = process.env.TEST_LONG === '1';
const DRAIN_MS_MAX = isLong ? 900000 : 300000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let stack;
let sender;
let proxy;

afterEach(async () => {
  sender?.close();
  sender = undefined;
  await stack?.stop();
  await proxy?.stop();
  stack = undefined;
  proxy = undefined;
});

const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);
const lines = (event) => stack.logOf(stack.consumer).split('\n').filter((line) => line.includes(`"event":"${event}"`));

const through = (name, fault, options) => goOnThrough(stack, name, fault, { deadlineMs: DRAIN_MS_MAX, ...options });
const progress = () => appliesMore(stack);

// C1, C2: it dies between commit and acknowledgement, between the copy for a later try and the acknowledgement of the original, anywhere.
test('kill -9 of the consumer again and again while events wait for their parents: each is applied once, in any order, with duplicates', async () => {
  // So many events come before their parents that the breaker of their type opens; it tries again each second, not each minute.
  stack = await Stack.start('kill_retry', { subsystems: '[billing]\nhandler = billing\nbindings = stripe.#\nattempts = 20\nbackoff = 1s\nbreaker_probe = 1s\n' });
  await stack.query(`ALTER TABLE billing_subscription ADD CONSTRAINT subscription_has_customer
    FOREIGN KEY (account, livemode, customer) REFERENCES billing_customer (account, livemode, id)`);
  await through('kill_retry', async () => {
    for (let kill = 0; kill < (isLong ? 20 : 4); kill += 1) {
      await progress();
      stack.consumer.kill('SIGKILL');
      await stack.consumer.ended;
      await stack.startConsumer();
    }
  }, { rate: 50 });
  assert.equal(await count('sluice_dead_letter'), 0);
});

// RabbitMQ before 4.3 counts each return of a delivery towards the limit of its message. So SIGTERM finishes what is in hand and returns none, and leaves its queue in such a way that
// the broker returns none either (tests/support/leaving.mjs shows what it does otherwise).
test('deployed again and again under load, nothing is delivered a second time, nobody is parked and no attempt is spent', async () => {
  stack = await Stack.start('deploys', { subsystems: '[billing]\nhandler = billing\nbindings = stripe.#\nbatch = 20\nprefetch = 200\n' });
  const held = [];
  let redelivered = 0;
  await through('deploys', async () => {
    for (let deploy = 0; deploy < (isLong ? 30 : 5); deploy += 1) {
      await progress();
      const release = await stack.lock('LOCK TABLE sluice_inbox IN EXCLUSIVE MODE'); // a transaction that lasts, so that it has some in hand
      await until('it has some in hand', async () => (await stack.metric('sluice_consumer_inflight{subsystem="billing"}', stack.consumerPort)) > 0);
      const ending = stack.terminate(stack.consumer);
      await stack.said(stack.consumer, 'drain.begin', deploy + 1);
      await release();
      const end = await ending;
      assert.deepEqual(end, { code: 0, signal: null }, stack.logOf(stack.consumer).slice(-2000));
      const begun = stack.linesOf(stack.consumer, 'drain.begin').at(-1);
      const ended = stack.linesOf(stack.consumer, 'process.stopped').at(-1);
      held.push(begun.held);
      assert.equal(ended.returned + ended.given_back, 0, JSON.stringify(ended));
      redelivered += ended.redelivered;
      await stack.startConsumer();
    }
  }, { rate: 300 });
  assert.ok(Math.min(...held) > 0, 'a deploy met no events in hand');
  redelivered += await stack.metric('sluice_consumer_redelivered_total{subsystem="billing"}', stack.consumerPort);
  assert.equal(redelivered, 0);
  console.log(`deploys: ${held.length}, in hand at each ${held.join(' ')}, delivered again ${redelivered}`);
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
});

// D4, D6: the first host says nothing, then neither is there; then the one that is has no connection left, and no memory.
test('under load the first of two hosts of Postgres falls silent, then both are gone, then the server is full: it goes on with whom there is, no attempt is spent, nothing is given up', async () => {
  stack = await Stack.start('two_hosts', { withConsumer: false });
  const url = new URL(stack.databaseUrl);
  const [first, second] = [await FaultProxy.start(Number(url.port)), await FaultProxy.start(Number(url.port))];
  proxy = { stop: () => Promise.all([first.stop(), second.stop()]) };
  await stack.query(`CREATE ROLE "${stack.name}" LOGIN IN ROLE sluice`); // a limit is none to a superuser
  stack.consumerEnvironment.DATABASE_URL = stack.databaseUrl.replace(`${url.username}@${url.host}`, `${stack.name}@127.0.0.1:${first.port},127.0.0.1:${second.port}`);
  await stack.startConsumer();
  const opened = async (what) => {
    const before = lines('database.opened').length;
    await what();
    await until('it is held', () => lines('database.opened').length > before);
  };
  await through('two_hosts', async () => {
    await progress();
    await first.tell('blackhole');
    await until('it goes on with the other', async () => (await second.stats()).down_bytes > 0);
    await progress();
    await opened(() => second.tell('down'));
    await second.tell('up');
    await progress();
    await stack.query(`ALTER ROLE "${stack.name}" CONNECTION LIMIT 0`);
    await opened(() => second.tell('reset'));
    await until('it is said', () => lines('postgres.lost').some((line) => line.includes('53300')));
    await stack.query(`ALTER ROLE "${stack.name}" CONNECTION LIMIT -1`);
    await progress();
    await opened(() => stack.query(`CREATE FUNCTION no_memory() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END $$;
      CREATE TRIGGER no_memory BEFORE INSERT ON sluice_inbox FOR EACH ROW EXECUTE FUNCTION no_memory()`));
    await stack.query('DROP TRIGGER no_memory ON sluice_inbox');
    await progress();
  });
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
});

// What has just come back is not met with everything at once.
test('after an outage of Postgres the backlog arrives in steps: 1 event, 8, 64, then whole batches', async () => {
  stack = await Stack.start('slow_start', { withConsumer: false });
  proxy = await FaultProxy.start(Number(new URL(stack.databaseUrl).port));
  const url = new URL(stack.databaseUrl);
  url.port = proxy.port;
  stack.consumerEnvironment.DATABASE_URL = url.toString();
  await stack.startConsumer();
  await proxy.tell('down');
  sender = new Sender(stack, { connections: 16 });
  const { events, expected } = stories('sl', 150, { seed: 5 });
  const { accepted } = await sender.deliverAll(events);
  assert.equal(accepted.size, events.length);
  await until('all of them are in hand', async () => (await stack.metric('sluice_consumer_inflight{subsystem="billing"}', stack.consumerPort)) === events.length);
  await proxy.tell('up');
  await until('every event is in the inbox', async () => (await count('sluice_inbox')) === events.length, 120000);
  const transactions = (await stack.query('SELECT count(*) FROM sluice_inbox GROUP BY applied_at ORDER BY applied_at')).map(([rows]) => Number(rows));
  assert.deepEqual(transactions, [1, 8, 64, 500, events.length - 573]);
  assert.deepEqual(await wrongRows(stack, expected), []);
});

// D2: the server commits, the answer never arrives.
test('connections are cut while commits are on their way: the inbox decides, nothing is applied twice', async () => {
  stack = await Stack.start('commit_lost', { withConsumer: false });
  proxy = await FaultProxy.start(Number(new URL(stack.databaseUrl).port));
  const url = new URL(stack.databaseUrl);
  url.port = proxy.port;
  stack.consumerEnvironment.DATABASE_URL = url.toString();
  await stack.startConsumer();
  // Committed, and the consumer never heard of it.
  const unheard = async () => {
    const rows = await count('sluice_inbox');
    const heard = await Promise.all(['applied', 'stale', 'ignored'].map((outcome) => stack.metric(`sluice_consumer_deliveries_total{subsystem="billing",outcome="${outcome}"}`, stack.consumerPort)));
    return rows - heard.reduce((sum, one) => sum + one, 0);
  };
  await through('commit_lost', async () => {
    await until('a batch is committed, and its answer is lost', async () => {
      await until('it is connected', async () => (await stack.metric('sluice_pg_up{link="billing.apply"}', stack.consumerPort)) === 1);
      await proxy.tell('latency 1500'); // what is seen as committed has an answer that is still on its way
      await progress();
      await proxy.tell('reset');
      await proxy.tell('clear');
      return (await unheard()) > 0;
    });
    await proxy.tell('latency 30');
    for (let cut = 0; cut < (isLong ? 200 : 10); cut += 1) {
      await pause(120 + 37 * (cut % 7));
      await proxy.tell('reset');
    }
    await proxy.tell('clear');
  });
  assert.ok((await unheard()) > 0);
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
});

// Waits until one of the consumer's transactions holds rows of customers and waits for those of invoices, then wants the customers itself. Who waits first looks for a deadlock first and
// is ended for it; this one would look much later.
const deadlock = `BEGIN; SET LOCAL deadlock_timeout = '1min'; LOCK TABLE billing_invoice IN EXCLUSIVE MODE;
  DO $$ BEGIN
    FOR look IN 1..200 LOOP
      EXIT WHEN EXISTS (SELECT FROM pg_locks AS w JOIN pg_locks AS h USING (pid)
        WHERE NOT w.granted AND w.relation = 'billing_invoice'::regclass AND h.granted AND h.relation = 'billing_customer'::regclass);
      PERFORM pg_sleep(0.02);
    END LOOP;
  END $$;
  LOCK TABLE billing_customer IN ACCESS EXCLUSIVE MODE; ROLLBACK`;
const conflict = `CREATE SEQUENCE tries; CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN IF nextval('tries') % 4 = 0 THEN RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$;
  CREATE TRIGGER conflict AFTER INSERT ON billing_customer FOR EACH STATEMENT EXECUTE FUNCTION conflict()`;

// C4, D5: in each other's way, and others in theirs.
test('four workers on the same rows, deadlocks, locks and conflicts under load: contention is settled in the process and costs no attempt', async () => {
  const subsystems = '[billing]\nhandler = billing\nbindings = stripe.#\nworkers = 4\nbatch = 20\n';
  stack = await Stack.start('contention', { subsystems });
  const met = (sqlstate) => lines('consumer.retry').some((line) => JSON.parse(line).sqlstate === sqlstate);
  await through('contention', async () => {
    await until('a deadlock is met', async () => (await stack.query(deadlock)) && met('40P01'), 120000);
    await stack.query(conflict);
    await until('a conflict is met', () => met('40001'), 60000);
    await stack.query('DROP TRIGGER conflict ON billing_customer');
    const release = await stack.lock('LOCK TABLE billing_customer IN EXCLUSIVE MODE');
    await until('a lock is waited for too long', () => met('55P03'), 60000);
    await release();
    await progress();
  });
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
});
