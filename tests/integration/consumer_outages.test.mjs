// consumer_outages - the consumer's half of a bad night, under load that goes on: its database goes away, freezes, becomes read-only. The same rows, no attempt spent on what was
// nobody's fault, nothing given up.
import assert from 'node:assert/strict';
import { test, afterEach } from 'node:test';
import { Producer } from './lib/producer.mjs';
import { Stack, until } from './lib/stack.mjs';
import { servers } from './lib/servers.mjs';
import { appliesMore, goOnThrough } from './lib/through.mjs';

const isLong = process.env.TEST_LONG === '1';
const DRAIN_MS_MAX = isLong ? 900000 : 300000;
const OUTAGE_MS = isLong ? 600000 : 20000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let stack;
let producer;

afterEach(async () => {
  await producer?.close();
  producer = undefined;
  await stack?.stop({ keepVhost: true });
  stack = undefined;
});

const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);
const lines = (event) => stack.logOf(stack.consumer).split('\n').filter((line) => line.includes(`"event":"${event}"`));

const customer = (id, name = 'Somebody') => ({ id: `evt_${id}`, source: 'stripe', type: 'customer.created',
  body: { id: `evt_${id}`, type: 'customer.created', created: 1700000000, livemode: false, data: { object: { id: `cus_${id}`, object: 'customer', created: 1700000000, name } } } });

const through = (name, fault, options) => goOnThrough(stack, name, fault, { deadlineMs: DRAIN_MS_MAX, ...options });
const progress = () => appliesMore(stack);

// D1, D4, D6: the queue holds, nothing is tried meanwhile.
test('Postgres is down under load: no attempt is spent, nothing is given up, it drains by itself', async () => {
  stack = await Stack.start('pg_down');
  await through('pg_down', async () => {
    await progress();
    await servers.stop('postgres');
    await pause(OUTAGE_MS);
    assert.equal(stack.consumer.exitCode, null);
    await servers.start('postgres');
  });
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
  assert.equal(lines('consumer.delayed').length + lines('consumer.dead_lettered').length, 0);
});

// D13, D3, D9: a migration, a failover that went wrong, a machine that stands still.
test('under load Postgres gets a column, becomes read-only, then freezes: no attempt is spent, nothing is given up', async () => {
  stack = await Stack.start('pg_odd');
  await stack.sluice('queue', 'set', 'billing', 'batch=20'); // many transactions, so that each fault meets one
  const everywhere = async (setting) => {
    await stack.query(`BEGIN READ WRITE; ALTER DATABASE "${stack.name}" ${setting}; COMMIT`);
    await stack.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`);
  };
  await through('pg_odd', async () => {
    await progress();
    await stack.query('ALTER TABLE billing_customer ADD COLUMN note text');
    await progress();
    await everywhere('SET default_transaction_read_only = on');
    await until('it is held', () => lines('database.opened').length > 0, 60000);
    await everywhere('RESET default_transaction_read_only');
    await progress();
    const goOn = await servers.freeze('postgres');
    await pause(3000);
    goOn();
    await progress();
  });
  assert.equal(await count('sluice_attempt'), 0);
  assert.equal(await count('sluice_dead_letter'), 0);
});

// Nothing is in hand and nothing arrives: nobody has a transaction to try.
test('an outage of Postgres that met an idle consumer is over when Postgres is back: its breaker closes by itself, and a replay that was given meanwhile goes through', async () => {
  stack = await Stack.start('pg_idle', { withPublisher: false });
  producer = await Producer.connect(stack);
  await stack.query("ALTER TABLE billing_customer ADD CONSTRAINT refused CHECK (name <> 'refused')");
  await producer.publish(customer('again', 'refused'));
  await until('it is set aside', async () => (await count('sluice_dead_letter')) === 1);
  await stack.query('ALTER TABLE billing_customer DROP CONSTRAINT refused');
  const listed = async () => JSON.parse(await stack.sluice('breaker', 'list', '-o', 'json'));
  const isIn = async (state) => (await stack.metric(`sluice_database_circuit_state{state="${state}"}`, stack.consumerPort)) === 1;
  await servers.stop('postgres');
  await until('it is open', () => isIn('open'));
  await servers.start('postgres');
  await stack.sluice('dead', 'replay', '--event', 'evt_again', '--reason', 'Postgres is back', '--yes');
  assert.equal(await count("billing_customer WHERE id = 'cus_again'"), 1);
  await until('it is closed', () => isIn('closed'), 60000);
  await until('none is listed', async () => (await listed()).length === 0);
  assert.equal((await stack.said(stack.consumer, 'database.closed', 1)).length, 1);
});

// C: parked by the broker itself, at the 21st return of somebody who takes it and cannot keep it, and bound to nobody: neither needs the database to be given up.
test('what is given up while Postgres is away waits in the broker, and is one dead letter each when it is back', async () => {
  stack = await Stack.start('pg_letters', { withPublisher: false });
  producer = await Producer.connect(stack);
  await stack.sluice('queue', 'pause', 'billing');
  const intruder = await producer.connection.createChannel();
  await until('nobody consumes it', async () => (await intruder.checkQueue('sluice.billing')).consumerCount === 0);
  await servers.stop('postgres');
  await Promise.all([producer.publish(customer('returned')), producer.publish(customer('neighbour')), producer.publish({ id: 'evt_unbound', source: 'nobody', type: 'thing.made' })]);
  let returns = 0;
  await intruder.prefetch(1);
  const { consumerTag } = await intruder.consume('sluice.billing', (message) => {
    if (message.properties.messageId !== 'evt_returned') return; // keeps it
    returns += 1;
    intruder.nack(message, false, true);
  });
  const waiting = async (queue) => (await stack.api('GET', `/api/queues/${stack.name}/${queue}`)).messages;
  await until('both wait in the broker', async () => (await waiting('sluice.billing.parked')) === 1 && (await waiting('sluice.unrouted')) === 1, 60000);
  await intruder.cancel(consumerTag);
  await intruder.close();
  assert.equal(returns, 21);
  await servers.start('postgres');
  await until('both are dead letters', async () => (await count('sluice_dead_letter')) === 2, 60000);
  assert.deepEqual(await stack.query('SELECT subsystem, event_id, error_class, error_code FROM sluice_dead_letter ORDER BY subsystem'),
    [['billing', 'evt_returned', 'crash', 'delivery_limit'], ['unrouted', 'evt_unbound', 'unrouted', 'amqp.unrouted']]);
  await stack.sluice('queue', 'resume', 'billing').catch(({ code }) => assert.equal(code, 75)); // said, and not followed until the clerk's link is up too
  await until('the neighbour is applied', async () => (await count('sluice_inbox')) === 1, 60000);
  await until('nothing waits in the broker', () => stack.isBrokerEmpty(), 60000);
  assert.equal(await count('sluice_dead_letter'), 2);
});
