// on_trip - whose breaker opens is told: a signed POST that is tried again until it is answered, or an event in Sentry. Both name the owner.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { test, before, after } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { Producer } from './lib/producer.mjs';
import { Stack, until } from './lib/stack.mjs';

const secret = `whsec_${randomBytes(32).toString('base64')}`;

const section = (name, more) => `
[${name}]
handler = sql
function = refuse
bindings = shop.${name}.#
owner = people of ${name}
severity = critical
impact = nothing is shipped
workers = 2
breaker_consecutive = 3
${more}`;
const subsystems = section('posted', 'on-trip = http $TRIP_URL\nsecret = TRIP_SECRET\n') + section('counted', 'on-trip = sentry\n') + section('quiet', '');
const sql = `CREATE FUNCTION refuse(event_id text, type text) RETURNS void LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'the column "price" is gone' USING ERRCODE = 'P0001'; END $$`;

let stack;
let producer;
let target;
let answers; // statuses of the next requests; then 204
const posts = [];
const reports = [];

before(async () => {
  answers = [500, 503];
  target = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      if (request.url.startsWith('/api/7/envelope')) reports.push(JSON.parse(body.split('\n')[2]));
      else posts.push({ headers: request.headers, body });
      response.writeHead(request.url === '/trips' ? (answers.shift() ?? 204) : 200).end('{}');
    });
  });
  await new Promise((resolve) => target.listen(0, '127.0.0.1', resolve));
  const at = `127.0.0.1:${target.address().port}`;
  stack = await Stack.start('on_trip', { subsystems, sql, withPublisher: false,
    consumer: { TRIP_URL: `http://${at}/trips`, TRIP_SECRET: secret, SENTRY_DSN: `http://public@${at}/7`, SENTRY_ENVIRONMENT: 'test' } });
  producer = await Producer.connect(stack);
});
after(async () => {
  await producer?.close();
  await stack?.stop();
  target?.close();
});

async function trip(name) {
  for (let n = 0; n < 12; n += 1) await producer.publish({ id: `${name}_${n}`, type: `${name}.ordered` });
  await until(`the breaker of ${name} is open`, () => stack.linesOf(stack.consumer, 'breaker.opened').some((line) => line.subsystem === name));
}

test('a POST names owner, type and error, is signed, and is tried again with the same key until it is answered; two workers are one alarm', async () => {
  await trip('posted');
  await until('it is told', () => stack.linesOf(stack.consumer, 'alarm.told').length > 0, 60000);
  assert.equal(posts.length, 3);
  assert.equal(new Set(posts.map((post) => post.headers['idempotency-key'])).size, 1);
  assert.equal(stack.linesOf(stack.consumer, 'alarm.failed').length, 2);
  assert.ok(stack.linesOf(stack.consumer, 'breaker.opened').every((line) => line.runbook === 'failure-spike.md'));
  for (const { body, headers } of posts) {
    const { type, data } = new Webhook(secret).verify(body, headers);
    assert.equal(type, 'breaker.opened');
    assert.deepEqual(data, { subsystem: 'posted', owner: 'people of posted', severity: 'critical', impact: 'nothing is shipped', event_type: 'posted.ordered',
      error_code: 'P0001', error: data.error, runbook: 'failure-spike.md' });
    assert.match(data.error, /the column "price" is gone/);
  }
});

test('Sentry gets one event, apart from those of degraded mode', async () => {
  await trip('counted');
  await until('Sentry is told', () => reports.length > 0, 60000);
  assert.equal(reports.length, 1);
  const [{ tags, environment, message }] = reports;
  assert.deepEqual({ status: tags['eventbus.status'], source: tags.source, type: tags.type, reason: tags.reason },
    { status: 'breaker_open', source: 'counted', type: 'counted.ordered', reason: 'breaker open, owner people of counted' });
  assert.equal(environment, 'test');
  assert.match(message.formatted, /breaker opened of counted: counted\.ordered/);
});

test('a section without on-trip tells nobody, and one that wants Sentry does not start without one', async () => {
  await trip('quiet');
  assert.equal(posts.length + reports.length, 4);
  const consumer = stack.spawn('sluice-consumer', { ...stack.consumerEnvironment, SENTRY_DSN: '' });
  assert.equal((await consumer.ended).code, 78);
  assert.match(stack.logOf(consumer), /SENTRY_DSN: must be set, as section \[counted\] says on-trip = sentry/);
});
