// class - what is of class backfill makes way for realtime without standing still; what is given up where each is to be heard of reaches Sentry.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test, before, after } from 'node:test';
import { Producer } from './lib/producer.mjs';
import { Stack, until } from './lib/stack.mjs';

const subsystems = `
[orders]
handler = sql
function = slow_apply
bindings = shop.order.#
batch = 1
fail_loud = true
owner = people of orders

[search]
handler = sql
function = fast_apply
bindings = shop.catalog.#
batch = 10
class = backfill
`;
// One batch of orders takes 50 ms, and the table knows when each was applied.
const sql = `CREATE TABLE done(id text, what text, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION slow_apply(event_id text, type text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  IF type = 'order.refused' THEN RAISE EXCEPTION 'refused' USING ERRCODE = 'P0001'; END IF;
  PERFORM pg_sleep(0.05); INSERT INTO done VALUES (event_id, 'order'); END $$;
CREATE FUNCTION fast_apply(event_id text) RETURNS void LANGUAGE sql AS $$ INSERT INTO done VALUES (event_id, 'search') $$;`;

let stack;
let producer;
let sentry;
const reports = [];

before(async () => {
  sentry = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      reports.push(JSON.parse(Buffer.concat(parts).toString().split('\n')[2]));
      response.writeHead(200).end('{}');
    });
  });
  await new Promise((resolve) => sentry.listen(0, '127.0.0.1', resolve));
  stack = await Stack.start('class', { subsystems, sql, withPublisher: false, withConsumer: false,
    consumer: { SENTRY_DSN: `http://public@127.0.0.1:${sentry.address().port}/7`, SENTRY_ENVIRONMENT: 'test' } });
  producer = await Producer.connect(stack);
});
after(async () => {
  await producer?.close();
  await stack?.stop();
  sentry?.close();
});

const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);

test('while orders are in hand the backfill has a batch every half second at most; then it runs', async () => {
  await Promise.all(Array.from({ length: 200 }, (_, n) => producer.publish({ id: `order_${n}`, type: 'order.paid' })));
  await Promise.all(Array.from({ length: 2000 }, (_, n) => producer.publish({ id: `item_${n}`, type: 'catalog.changed' })));
  // The backfill begins when orders are in hand, whichever of them is connected first.
  await stack.query("INSERT INTO sluice_control (subsystem, name, value) VALUES ('search', 'paused', 'true')");
  await stack.startConsumer();
  await until('orders are in hand', async () => (await count("done WHERE what = 'order'")) > 0);
  await stack.query("DELETE FROM sluice_control WHERE subsystem = 'search'");
  await until('all are applied', async () => (await count('done')) === 2200, 240000);
  const [[seconds, during]] = await stack.query(`SELECT extract(epoch FROM max(o.at) - (SELECT min(at) FROM done WHERE what = 'search')),
      (SELECT count(*) FROM done s WHERE s.what = 'search' AND s.at < max(o.at))
    FROM done o WHERE o.what = 'order'`);
  assert.ok(Number(seconds) >= 2, `side by side for ${seconds} s`);
  assert.ok(Number(during) <= (Number(seconds) * 2 + 3) * 10, `${during} of the backfill within ${seconds} s`);
  assert.ok(Number(during) >= 20, `the backfill stood still: ${during}`);
  assert.equal(await stack.metric('sluice_subsystem_trait{subsystem="search",trait="backfill"}', stack.consumerPort), 1);
  assert.equal(await stack.metric('sluice_subsystem_trait{subsystem="orders",trait="fail_loud"}', stack.consumerPort), 1);
});

test('one event that is given up where each is to be heard of is told to Sentry, with its owner', async () => {
  await producer.publish({ id: 'refused', type: 'order.refused' });
  const report = await until('Sentry is told', () => reports[0], 60000);
  assert.equal(report.tags['eventbus.status'], 'given_up');
  assert.equal(report.tags.source, 'orders');
  assert.equal(report.tags.type, 'order.refused');
  assert.equal(report.tags.reason, 'event given up, owner people of orders');
  await until('it is a letter', async () => (await count("sluice_dead_letter WHERE event_id = 'refused'")) === 1);
});
