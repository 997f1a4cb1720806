// sql_handler - a Postgres function is a subsystem: called once per event in the transaction of its inbox row, with a verdict of its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { Producer } from './lib/producer.mjs';
import { Stack, until } from './lib/stack.mjs';

const subsystems = `
[notes]
handler = sql
function = note_apply
bindings = shop.note.#
attempts = 3
backoff = 1s
errors.P0042 = retry: wait for the other side
errors.23505 = permanent

[bytes]
handler = sql
function = app.bytes_apply
bindings = shop.bytes.#

[late]
handler = sql
function = late_apply
bindings = shop.late.#
`;

const sql = `
CREATE TABLE note(id text PRIMARY KEY, type text, body jsonb, source text, account text, livemode boolean, object text, occurred_at timestamptz,
  received_at timestamptz, attempt integer, calls integer DEFAULT 1);
-- Arguments in an order of its own, one more with a default.
CREATE FUNCTION note_apply(body jsonb, event_id text, type varchar, attempt integer, source text, account text, livemode boolean, object text,
                           occurred_at timestamptz, received_at timestamptz, extra text DEFAULT 'none') RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  IF body ? 'raise' AND attempt < coalesce((body ->> 'until')::integer, 99) THEN
    RAISE EXCEPTION 'asked to' USING ERRCODE = body ->> 'raise';
  END IF;
  IF body ? 'verdict' THEN
    RETURN body ->> 'verdict';
  END IF;
  INSERT INTO note VALUES (event_id, type, body, source, account, livemode, object, occurred_at, received_at, attempt);
  RETURN 'whatever';
END $$;
CREATE SCHEMA app;
CREATE FUNCTION app.told(letter sluice_dead_letter) RETURNS void LANGUAGE sql AS '';
CREATE TABLE app.bytes(id text PRIMARY KEY, is_json boolean, raw bytea);
CREATE FUNCTION app.bytes_apply(event_id text, body json, raw bytea) RETURNS void LANGUAGE sql
  AS 'INSERT INTO app.bytes VALUES (event_id, body IS NOT NULL, raw)';
`;

let stack;
let producer;

before(async () => {
  stack = await Stack.start('sql_handler', { subsystems, sql, withPublisher: false, consumer: { SLUICE_SETUP_GRACE: '10s' } });
  producer = await Producer.connect(stack);
});
after(async () => {
  await producer?.close();
  await stack?.stop();
});

const note = (id, body = {}, more = {}) => producer.publish({ id, type: 'note.made', body, ...more });
const verdictOf = (id, subsystem = 'notes') => until(`the inbox row of ${id}`, () =>
  stack.value(`SELECT verdict FROM sluice_inbox WHERE event_id = '${id}' AND subsystem = '${subsystem}'`));
const letterOf = (id) => until(`the dead letter of ${id}`, async () => (await stack.query(
  `SELECT error_class, error_code, attempts, error FROM sluice_dead_letter WHERE event_id = '${id}'`))[0]);
const lines = (event) => stack.logOf(stack.consumer).split('\n').filter((line) => line.includes(`"event":"${event}"`)).map((line) => JSON.parse(line));

test('the function gets what the envelope says, by name', async () => {
  await note('n1', { text: 'héllo', n: 12345678901234567890n.toString() }, { account: 'acct_1', livemode: true, object: 'note_1', occurredAt: 1700000123 });
  assert.equal(await verdictOf('n1'), 'applied');
  const [row] = await stack.query(`SELECT id, type, body ->> 'text', source, account, livemode, object, extract(epoch FROM occurred_at)::bigint,
    received_at > now() - interval '5 minutes', attempt FROM note WHERE id = 'n1'`);
  assert.deepEqual(row, ['n1', 'note.made', 'héllo', 'shop', 'acct_1', 't', 'note_1', '1700000123', 't', '1']);
  assert.equal(await stack.value("SELECT body IS NULL FROM sluice_inbox WHERE event_id = 'n1'"), 't');
});

test('an event that comes twice is applied once', async () => {
  for (let i = 0; i < 3; i += 1) await note('n2', {});
  await note('n3', {});
  await verdictOf('n3');
  assert.equal(await stack.value("SELECT count(*) FROM note WHERE id = 'n2'"), '1');
});

test('the function chooses the verdict', async () => {
  await note('ignored', { verdict: 'ignored' });
  await note('stale', { verdict: 'stale' });
  await note('other', { verdict: 'applied' });
  assert.deepEqual([await verdictOf('ignored'), await verdictOf('stale'), await verdictOf('other')], ['ignored', 'stale', 'applied']);
});

test('one that raises among many is set aside, and its neighbours are applied', async () => {
  const ids = Array.from({ length: 200 }, (_, n) => `many_${n}`);
  await Promise.all(ids.map((id, n) => note(id, n === 117 ? { raise: 'SLBAD' } : {})));
  const [errorClass, code, attempts, error] = await letterOf('many_117');
  assert.deepEqual([errorClass, code, attempts], ['permanent', 'SLBAD', '1']);
  assert.match(error, /asked to/);
  await until('the others are applied', async () => (await stack.value("SELECT count(*) FROM note WHERE id LIKE 'many_%'")) === '199');
});

for (const [sqlstate, until_, why] of [['SLRTY', 2, 'its own code for that'], ['P0042', 3, 'the section says so'], ['23503', 2, 'a parent is missing']]) {
  test(`${sqlstate} is tried again later: ${why}`, async () => {
    await note(`again_${sqlstate}`, { raise: sqlstate, until: until_ });
    assert.equal(await verdictOf(`again_${sqlstate}`), 'applied');
    assert.equal(await stack.value(`SELECT attempt FROM note WHERE id = 'again_${sqlstate}'`), String(until_));
  });
}

for (const [sqlstate, why] of [['P0001', 'a plain RAISE'], ['23505', 'the section says so'], ['22P02', 'a value that cannot be']]) {
  test(`${sqlstate} never passes: ${why}`, async () => {
    await note(`never_${sqlstate}`, { raise: sqlstate });
    const [errorClass, code, attempts] = await letterOf(`never_${sqlstate}`);
    assert.deepEqual([errorClass, code, attempts], ['permanent', sqlstate, '1']);
  });
}

test('what jsonb cannot hold is replaced and counted; the rest of the body is as it came', async () => {
  await note('nul', Buffer.from('{"a":"x\\u0000y","b":"\\ud800","c":"\\\\u0000","d":1e999}'));
  assert.equal(await verdictOf('nul'), 'applied');
  const [row] = await stack.query("SELECT body ->> 'a', body ->> 'b', body ->> 'c', body ->> 'd' IS NULL FROM note WHERE id = 'nul'");
  assert.deepEqual(row, ['x�y', '�', '\\u0000', 't']);
  await until('it is counted', async () => (await stack.metric('sluice_text_replaced_total{subsystem="notes"}', stack.consumerPort)) >= 3);
});

test('a body that is not JSON is a dead letter, unless the function takes the raw bytes', async () => {
  await note('nojson', Buffer.from('{"a":'));
  const [errorClass, code] = await letterOf('nojson');
  assert.deepEqual([errorClass, code], ['permanent', 'json.malformed']);
  await producer.publish({ id: 'raw1', type: 'bytes.made', body: Buffer.from([0xff, 0x00, 0x7b]) });
  await producer.publish({ id: 'raw2', type: 'bytes.made', body: Buffer.from(' {"a": 1 }\n') });
  assert.equal(await verdictOf('raw1', 'bytes'), 'applied');
  assert.equal(await verdictOf('raw2', 'bytes'), 'applied');
  assert.deepEqual(await stack.query("SELECT id, is_json, encode(raw, 'hex') FROM app.bytes ORDER BY id"),
    [['raw1', 'f', 'ff007b'], ['raw2', 't', Buffer.from(' {"a": 1 }\n').toString('hex')]]);
});

test('while the function is missing everything waits and the log says what is expected; then it goes on by itself', async () => {
  for (let n = 0; n < 20; n += 1) await producer.publish({ id: `late_${n}`, type: 'late.made', body: { n } });
  const waiting = await until('it waits quietly, as during a deploy', () => lines('consumer.held').find((one) => one.subsystem === 'late'));
  assert.equal(waiting.error_code, 'pg.unready');
  assert.equal(await stack.metric('sluice_consumer_halted{subsystem="late"}', stack.consumerPort), 0);
  const line = await until('an operator is called', () => lines('consumer.halted').find((one) => one.subsystem === 'late'));
  assert.match(line.error, /there is no function late_apply; expected: late_apply\(event_id text, type text, body jsonb\)/);
  await stack.query(`CREATE TABLE late(id text PRIMARY KEY);
    CREATE FUNCTION late_apply(event_id text, total integer) RETURNS void LANGUAGE sql AS 'INSERT INTO late VALUES (event_id)'`);
  await until('the wrong one is named', () => lines('consumer.halted').find((one) => one.subsystem === 'late' && /takes "total", which no event has/.test(one.error)));
  assert.equal(await stack.metric('sluice_consumer_halted{subsystem="late"}', stack.consumerPort), 1);
  await stack.query(`DROP FUNCTION late_apply;
    CREATE FUNCTION late_apply(event_id text) RETURNS void LANGUAGE sql AS 'INSERT INTO late VALUES (event_id)'`);
  assert.ok(Date.parse(line.ts) - Date.parse(waiting.ts) >= 9500, `${line.ts} is too soon after ${waiting.ts}`);
  await until('all are applied', async () => (await stack.value('SELECT count(*) FROM late')) === '20', 60000);
  await until('nobody is needed any more', async () => (await stack.metric('sluice_consumer_halted{subsystem="late"}', stack.consumerPort)) === 0);
  assert.equal(await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE subsystem = 'late'"), '0');
});

test('sluice-consumer --check names each function that cannot be called', async () => {
  const check = (subsystems, environment = {}) => {
    const file = path.join(stack.dir, 'check.conf');
    writeFileSync(file, subsystems);
    const { status, stdout, stderr } = spawnSync(path.join(process.env.SLUICE_BIN, 'sluice-consumer'), ['--check'],
      { env: { ...stack.environment, SLUICE_SUBSYSTEMS: file, ...environment }, encoding: 'utf8' });
    return { status, stdout, stderr };
  };
  const section = (name, fn) => `[${name}]\nhandler = sql\nbindings = x.${name}\nfunction = ${fn}\n`;
  const right = check(section('a', 'note_apply') + section('b', 'app.bytes_apply'));
  assert.deepEqual([right.status, right.stderr], [0, '']);
  assert.match(right.stdout, /\[a\]\nhandler = sql\n/);
  const wrong = check(section('a', 'note_aply') + section('b', 'app.bytes_apply') + section('c', 'pg_catalog.now') + section('d', 'app.nothing'));
  assert.equal(wrong.status, 78);
  assert.match(wrong.stderr, /\[a\] function: there is no function note_aply; expected: note_aply\(event_id text, type text, body jsonb\)\n.*\[d\] function: there is no function app.nothing/s);
  const told = check(`${section('a', 'note_apply')}on-dead = sql note_failed\n${section('b', 'app.bytes_apply')}on-dead = sql app.told\n`);
  assert.equal(told.status, 78);
  assert.match(told.stderr, /\[a\] on-dead: there is no function note_failed; expected: note_failed\(sluice_dead_letter\)\n/);
  assert.doesNotMatch(told.stderr, /\[b\]/);
  const unreachable = check(section('a', 'note_apply'), { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/x' });
  assert.equal(unreachable.status, 0);
  assert.match(unreachable.stderr, /^functions were not looked at: /);
});

test('nothing is left in a queue', async () => {
  await until('queues are empty', async () => {
    const queues = await stack.api('GET', `/api/queues/${stack.name}`);
    return queues.length > 0 && queues.every((queue) => (queue.messages ?? 0) === 0);
  }, 60000);
});
