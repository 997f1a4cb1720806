// keys - what a section's keys do in a running consumer: how long it waits at most, how much it holds, how long it keeps; and a section that is taken away
// while its events wait for their next try.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test, before, after } from 'node:test';
import { Producer } from './lib/producer.mjs';
import { Stack, until } from './lib/stack.mjs';

const section = (name, keys) => `[${name}]\nhandler = sql\nfunction = ${name}_apply\nbindings = shop.${name}.#\n${keys}\n`;
const staying = section('capped', 'attempts = 5\nbackoff = 1s\nbackoff_max = 2s\nbreaker_consecutive = 100\n') +
  section('narrow', 'batch = 1\nprefetch = 3\n') +
  section('kept', 'keep_done = 60d\nkeep_failed = 2 1d\n') +
  section('late', 'batch = 1\nbackoff = 2s\nbreaker_probe = 2s\nbreaker_consecutive = 100\n');
const leaving = section('leaving', 'backoff = 15s\nbreaker_probe = 15s\n');
const sql = `CREATE TABLE done(id text, attempt integer);
CREATE FUNCTION capped_apply(event_id text, attempt integer) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'not yet' USING ERRCODE = 'SLRTY'; END $$;
CREATE FUNCTION leaving_apply(event_id text, attempt integer) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'not yet' USING ERRCODE = 'SLRTY'; END $$;
CREATE FUNCTION late_apply(event_id text, attempt integer) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN IF attempt = 1 THEN RAISE 'not yet' USING ERRCODE = 'SLRTY'; END IF; INSERT INTO done VALUES (event_id, attempt); END $$;
CREATE FUNCTION narrow_apply(event_id text, attempt integer) RETURNS void LANGUAGE sql AS $$ INSERT INTO done VALUES (event_id, attempt) $$;
CREATE FUNCTION kept_apply(event_id text, attempt integer) RETURNS void LANGUAGE sql AS $$ INSERT INTO done VALUES (event_id, attempt) $$;`;
let stack;
let producer;

before(async () => {
  stack = await Stack.start('keys', { subsystems: staying + leaving, sql, withPublisher: false, withConsumer: false });
  producer = await Producer.connect(stack);
});
after(async () => {
  await producer?.close();
  await stack?.stop();
});

const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);
const publish = (name, ids) => Promise.all(ids.map((id) => producer.publish({ id, type: `${name}.made` })));
const numbers = (prefix, amount) => Array.from({ length: amount }, (_, n) => `${prefix}${n}`);

test('keep_failed and keep_done: what is past its keeping is gone when the consumer has started, nothing else', async () => {
  await stack.query(`INSERT INTO sluice_dead_letter (subsystem, source, livemode, event_id, type, reason, error_class, status, envelope, body_sha256, created_at, updated_at)
      SELECT 'kept', 'shop', false, 'old_' || n, 'x', 'permanent', 'permanent', CASE WHEN n = 9 THEN 'open' ELSE 'discarded' END, '', sha256(n::text::bytea), now() - n * interval '10 days', now() - n * interval '10 days'
      FROM generate_series(1, 9) AS n;
    SELECT set_config('keys.week', 'sluice_inbox_p' || to_char(date_trunc('week', now() - interval '50 days'), 'YYYYMMDD'), false);
    DO $$ BEGIN EXECUTE format('CREATE TABLE %I PARTITION OF sluice_inbox FOR VALUES FROM (%L) TO (%L)', current_setting('keys.week'),
      date_trunc('week', now() - interval '50 days'), date_trunc('week', now() - interval '50 days') + interval '7 days'); END $$`);
  const week = await stack.value("SELECT 'sluice_inbox_p' || to_char(date_trunc('week', now() - interval '50 days'), 'YYYYMMDD')");
  await stack.startConsumer();
  const [line] = await stack.said(stack.consumer, 'inbox.maintained', 1);
  assert.equal(Number(line.letters), 6);
  assert.equal(Number(line.dropped), 0);
  assert.deepEqual(await stack.query("SELECT event_id FROM sluice_dead_letter WHERE subsystem = 'kept' ORDER BY 1"), [['old_1'], ['old_2'], ['old_9']]); // the last two, and the open one
  assert.equal(await stack.value(`SELECT to_regclass('${week}') IS NOT NULL`), 't');
});

test('backoff_max: no wait is longer, however often it has failed', async () => {
  await publish('capped', ['c1']);
  await until('it is given up', async () => (await count("sluice_dead_letter WHERE event_id = 'c1'")) === 1, 60000);
  const waits = stack.linesOf(stack.consumer, 'consumer.delayed').filter((line) => line.event_id === 'c1').map((line) => line.wait_s);
  assert.equal(waits.length, 4);
  assert.ok(waits.every((wait_s) => wait_s <= 3), waits.join()); // lengthened by a quarter at most, in whole seconds; without it the last was 8
});

test('prefetch: so many are in hand while they cannot be applied, the rest waits in the queue', async () => {
  const release = await stack.lock('LOCK TABLE done IN EXCLUSIVE MODE');
  try {
    await publish('narrow', numbers('n', 10));
    await until('three are in hand, seven wait', async () => (await stack.metric('sluice_consumer_inflight{subsystem="narrow"}', stack.consumerPort)) === 3 &&
      (await producer.channel.checkQueue('sluice.narrow')).messageCount === 7);
  } finally {
    await release();
  }
  await until('all are applied', async () => (await count("done WHERE id LIKE 'n%'")) === 10, 60000);
});

test('a section that is taken away while a hundred of its events wait: they become dead letters, unrouted, and those of others come on time', async () => {
  await publish('leaving', numbers('gone', 100));
  await publish('late', numbers('late', 10));
  await until('each has failed and waits', async () => (await producer.channel.checkQueue('sluice.leaving')).messageCount === 0 && (await stack.messagesReady()) >= 100, 60000);
  await stack.terminate(stack.consumer);
  writeFileSync(stack.environment.SLUICE_SUBSYSTEMS, staying);
  await stack.api('DELETE', `/api/queues/${stack.name}/sluice.leaving`);
  await stack.startConsumer();
  await until('those of others are applied', async () => (await count("done WHERE id LIKE 'late%' AND attempt > 1")) === 10, 60000);
  await until('all are letters', async () => (await count("sluice_dead_letter WHERE subsystem = 'unrouted'")) === 100, 120000);
  assert.equal(await count("(SELECT DISTINCT event_id FROM sluice_dead_letter WHERE subsystem = 'unrouted' AND event_id LIKE 'gone%') AS gone"), 100);
});
