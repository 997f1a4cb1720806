// drain - `sluice queue drain` and `scale advise` while a backlog grows, shrinks and stands still; for people on a terminal too.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const subsystems = `
[work]
handler = sql
function = work
bindings = stripe.product.#
batch = 1
prefetch = 20
workers = 4
`;
const sql = `
CREATE TABLE desk (id integer PRIMARY KEY);
INSERT INTO desk VALUES (1);
CREATE FUNCTION work(object text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF object LIKE 'desk%' THEN PERFORM * FROM desk FOR UPDATE; END IF;
  PERFORM pg_sleep(0.1);
END $$`;

let stack;
let sender;

before(async () => {
  stack = await Stack.start('drain', { subsystems, sql });
  sender = new Sender(stack, { connections: 16 });
  await well('queue', 'set', 'work', 'workers=1');
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const STREAM_PER_MS = 0.025; // two and a half times what one worker can
const product = (id) => ({ id: `evt_${id}`, type: 'product.created', created: 1700000000, livemode: false, data: { object: { id, object: 'product' } } });
const many = (prefix, count) => Array.from({ length: count }, (_, n) => product(`${prefix}_${n}`));
async function send(events) {
  for (const status of (await sender.sendAll(events)).values()) assert.equal(status, 200);
}
const sluice = (args, extra) => stack.tool(args, extra);
async function well(...args) {
  const result = await sluice(args);
  assert.equal(result.status, 0, `${args.join(' ')}\n${result.stderr}`);
  return result;
}
const advice = async (...more) => JSON.parse((await well('scale', 'advise', 'work', '-o', 'json', ...more)).stdout)[0];

test('more comes in than goes out: how many more workers; advised, two at a time, within the budget', async () => {
  let is_over = false;
  const stream = (async () => {
    const from = Date.now();
    for (let n = 0; !is_over;) {
      const due = Math.floor((Date.now() - from) * STREAM_PER_MS) + 1 - n; // at a rate, however long each takes
      await send(Array.from({ length: due }, () => product(`stream_${n++}`)));
      await new Promise((resolve) => setTimeout(resolve, 70));
    }
  })();
  try {
    await until('it says so', async () => {
      const { status, stderr } = await sluice(['queue', 'drain', 'work', '--timeout', '12s']);
      assert.equal(status, 75);
      if (!/work: \d+ waiting, \d+ in hand, 0 delayed; not draining: \d+\.\d\/s in, \d+\.\d\/s out; needs [1-9]\d* more workers/.test(stderr)) throw new Error(stderr);
      return true;
    }, 90000);
    const step = await advice();
    assert.equal(step.bound, 'workers');
    assert.equal(step.workers, 1);
    assert.ok(step.needed >= 2, JSON.stringify(step));
    assert.ok(step.next === 2 || step.next === 3, JSON.stringify(step));
    const narrow = await advice('--budget', '11', '--headroom', '11');
    assert.deepEqual([narrow.room, narrow.next], [0, 1]);
    assert.match((await sluice(['scale', 'advise', 'work'], { SLUICE_PG_BUDGET: '3' })).stdout, /budget 3 sessions, \d+ used by others, 10 kept free/);
    const { stdout } = await well('scale', 'advise', 'work', '--within', '10m');
    assert.match(stdout, /^work: 1 -> [23] workers: they have their hands full/);
    assert.match(stdout, /1\. sluice queue set work workers=[23]\n {2}2\. wait 1 to 2 minutes: .*\n {2}3\. go back when .* sluice queue set work workers=1\n/);
    await well('queue', 'set', 'work', 'workers=4');
  } finally {
    is_over = true;
    await stream;
  }
});

test('it shrinks: a range, what sets the pace, and on a terminal how far it is', async () => {
  await send(many('range', 300));
  const child = spawn('script', ['-qec', `${path.join(process.env.SLUICE_BIN, 'sluice')} queue drain work --timeout 120s`, '/dev/null'],
    { env: { ...stack.environment, TERM: 'xterm' }, stdio: ['ignore', 'pipe', 'inherit'] });
  let seen = '';
  child.stdout.on('data', (part) => { seen += part; });
  const status = await new Promise((resolve) => child.on('exit', resolve));
  assert.equal(status, 0, seen);
  assert.match(seen, /work: \[#*-+\] +\d+ % {2}\d+ waiting/);
  assert.match(seen, /empty in \d+ to \d+ s; bound by the workers/);
  assert.match(seen, /\[#{12,}-*\]/);
  assert.match(seen, /work: nothing waits, nothing is in hand, nothing is delayed\r\n$/);
});

test('it stands still: stuck, and who is to be restarted; what set the pace was the database', async () => {
  const release = await stack.lock('SELECT * FROM desk FOR UPDATE');
  try {
    await send(many('desk', 200));
    await until('it is called stuck', async () => {
      const { stderr } = await sluice(['queue', 'drain', 'work', '--timeout', '3s', '--stuck-after', '4s']);
      return /stuck: nothing was settled for \d+ s; sluice-consumer\/\S+\/\d+ holds deliveries: restart that one/.test(stderr);
    }, 60000);
    const { stderr } = await sluice(['queue', 'drain', 'work', '--timeout', '8s']);
    assert.match(stderr, /not draining: 0\.0\/s in, 0\.0\/s out; bound by the database; sluice queue diagnose work/);
    const step = await advice();
    assert.deepEqual([step.bound, step.next], ['database', 4]);
    await stack.query("UPDATE sluice_consumer SET progress_at = now() - interval '31 minutes'");
    const line = JSON.parse((await well('queue', 'list', '-o', 'json')).stdout)[0];
    assert.match(line.state, /^stuck 31 min$/);
    assert.equal(line.severity, 'warning');
  } finally {
    await release();
  }
  await well('queue', 'drain', 'work', '--timeout', '120s');
  assert.equal(JSON.parse((await well('queue', 'list', '-o', 'json')).stdout)[0].state, '');
});
