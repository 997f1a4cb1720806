// control - operators pause, reload and re-level a publisher that goes on receiving; nothing is dropped and nothing is said twice.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test, afterEach } from 'node:test';
import { Sender, signature } from './lib/sender.mjs';
import { servers } from './lib/servers.mjs';
import { Stack, until } from './lib/stack.mjs';

const DURABLE = { SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' }; // the tests' folder may be a tmpfs
const newSecret = () => `whsec_${randomBytes(24).toString('hex')}`;
let stack;
let sender;
let keepVhost = false;
let extra = [];

afterEach(async () => {
  sender?.close();
  for (const undo of extra.reverse()) await undo();
  await stack?.stop({ keepVhost });
  stack = undefined;
  keepVhost = false;
  extra = [];
});

async function begin(name, options = {}) {
  stack = await Stack.start(name, { ...options, publisher: { ...DURABLE, ...options.publisher } });
  sender = new Sender(stack, { connections: 16 });
}

// The publisher once more, with a part of its configuration in files.
async function restartWith(environment) {
  await stack.terminate(stack.publisher);
  stack.publisherEnvironment = { ...stack.publisherEnvironment, ...environment };
  await stack.startPublisher();
}

const lines = (event) => stack.linesOf(stack.publisher, event);
const said = (event, count) => stack.said(stack.publisher, event, count);
const file = (name) => path.join(stack.dir, name);
// As an operator's tools do: the file is there with all its content, or it is the old one.
function put(name, content) {
  writeFileSync(`${file(name)}.new`, content);
  renameSync(`${file(name)}.new`, file(name));
}
const health = async () => (await (await fetch(`${stack.url}/health`)).json()).status;

// Signals and waits for the line that answers it.
async function reload(event = 'process.reloaded') {
  const before = lines(event).length;
  stack.publisher.kill('SIGHUP');
  await until(event, () => lines(event).length > before);
  return lines(event).at(-1);
}

// Sends one event after the other on 16 connections until stop() is called; resolves with [{id, status, secret}].
function load(secrets) {
  let goes = true;
  let n = 0;
  const answers = [];
  const lane = async () => {
    while (goes) {
      n += 1;
      const id = `evt_load_${n}`;
      const body = JSON.stringify({ id, type: 'x.load', created: 1700000000 });
      const now = secrets === undefined ? [stack.secret] : secrets.now;
      const secret = now[n % now.length];
      const answer = await sender.post(body, { 'stripe-signature': signature(secret, body) });
      answers.push({ id, status: answer.status, secret });
      // Less than the machine can: other tests' programs may be around.
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  };
  const all = Promise.all(Array.from({ length: 16 }, lane));
  return {
    answers,
    sent: (more) => {
      const target = answers.length + more;
      return until(`${more} more answers`, () => answers.length >= target);
    },
    stop: async () => {
      goes = false;
      await all;
      return answers;
    },
  };
}

const inbox = async () => new Set((await stack.query('SELECT event_id FROM sluice_inbox')).map(([id]) => id));

test('pause and resume under traffic: refused while it lasts, everything accepted arrives, one line for each change', async () => {
  await begin('pause');
  const traffic = load();
  await traffic.sent(100);
  assert.match(await stack.sluice('ingest', 'pause', '--source', 'stripe'), /stripe: webhooks are answered 503 until they are resumed/);
  const answer = await sender.signed('{"id":"evt_paused","type":"x.paused"}');
  assert.equal(answer.status, 503);
  assert.equal(answer.body, '{"error":"paused"}');
  assert.equal(answer.headers['retry-after'], '30');
  assert.equal(await health(), 'ok');
  assert.equal((await fetch(`${stack.url}/readyz`)).status, 200);
  assert.equal(await stack.metric('sluice_ingest_paused{source="stripe"}'), 1);
  await traffic.sent(100);
  const status = JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json'));
  assert.equal(status.broker.state, 'up');
  assert.equal(status.degraded, false);
  assert.deepEqual(status.paused.map(({ source, answer: code, until: end }) => ({ source, code, end })), [{ source: 'stripe', code: 503, end: null }]);
  assert.match(await stack.sluice('ingest', 'resume'), /webhooks are taken again/);
  await traffic.sent(100);
  const answers = await traffic.stop();

  assert.deepEqual(new Set(answers.map(({ status: code }) => code)), new Set([200, 503]));
  const accepted = answers.filter(({ status: code }) => code === 200).map(({ id }) => id);
  const refused = answers.length - accepted.length + 1;
  await until('every accepted event is applied', async () => (await inbox()).size === accepted.length, 60000);
  assert.deepEqual(await inbox(), new Set(accepted));
  assert.deepEqual((await said('ingest.resumed', 1)).map((line) => [line.source, line.refused]), [['stripe', refused]]);
  assert.equal(lines('ingest.paused').length, 1);
  assert.equal(await stack.metric('sluice_events_received_total{source="stripe",outcome="paused"}'), refused);
  assert.equal(await stack.metric('sluice_ingest_paused{source="stripe"}'), 0);
});

test('a pause with --for and --answer ends by itself', async () => {
  await begin('pausefor', { withConsumer: false });
  await stack.sluice('ingest', 'pause', '--for', '10m', '--answer', '429');
  const answer = await sender.signed('{"id":"evt_paused","type":"x.paused"}');
  assert.equal(answer.status, 429);
  assert.equal(answer.headers['retry-after'], '300'); // what is left, but never more than five minutes
  const [pause] = JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json')).paused;
  assert.ok(Date.parse(pause.until) > Date.parse(pause.since) && Date.parse(pause.until) <= Date.parse(pause.since) + 600000 + 1000, JSON.stringify(pause));
  await stack.sluice('ingest', 'pause', '--for', '1s', '--answer', '429'); // takes the place of the first
  await until('webhooks are taken again', async () => (await sender.signed('{"id":"evt_after","type":"x.after"}')).status === 200);
  const [resumed, more] = await said('ingest.resumed', 1);
  assert.equal(resumed.source, 'all');
  assert.equal(resumed.reason, 'its time is over');
  assert.ok(resumed.paused_ms >= 1000, `${resumed.paused_ms} ms`);
  assert.equal(more, undefined);
});

test('what cannot be is refused with one sentence, and changes nothing', async () => {
  await begin('nonsense', { withConsumer: false });
  const wrong = [
    [['ingest', 'pause', '--source', 'strpie'], 64, /there is no source "strpie"; there is: stripe/],
    [['ingest', 'pause', '--answer', '500'], 64, /429 or 503/],
    [['ingest', 'pause', '--for', '30'], 64, /for/],
    [['log', 'set', '--level', 'loud'], 64, /debug, info, warn, error or fatal/],
    [['log', 'set'], 64, /which level/],
    [['ingest', 'status', '--state-dir', file('nowhere')], 69, /nothing runs with this state folder/],
    [['ingest', 'status', '--state-dir', `/${'d'.repeat(200)}`], 78, /too long/],
  ];
  for (const [args, code, says] of wrong) {
    await assert.rejects(stack.sluice(...args), (error) => {
      assert.equal(error.code, code, `${args}: ${error.stderr}`);
      assert.match(error.stderr, says);
      return true;
    });
  }
  assert.equal((await sender.signed('{"id":"evt_open","type":"x.open"}')).status, 200);
});

test('with the broker down: pause, status, resume and the level of degraded lines; an outage that lasts is said once', async () => {
  await begin('dark', { withConsumer: false, publisher: { SLUICE_DEGRADED_AFTER: '3s' } });
  keepVhost = true;
  assert.equal(await stack.metric('sluice_broker_state{state="up"}'), 1);
  await servers.stop('rabbitmq');
  extra.push(() => servers.start('rabbitmq'));
  await until('the publisher says it is degraded', async () => (await health()) === 'degraded');
  await stack.sluice('ingest', 'pause');
  assert.equal((await sender.signed('{"id":"evt_dark_1","type":"x.dark"}')).status, 503);
  const status = JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json'));
  assert.equal(status.degraded, true);
  assert.ok(Date.parse(status.degraded_since) <= Date.now());
  assert.notEqual(status.broker.state, 'up');
  await stack.sluice('ingest', 'resume');
  assert.equal((await sender.signed('{"id":"evt_dark_2","type":"x.dark"}')).status, 202);
  await stack.sluice('log', 'set', '--degraded', 'error');
  assert.equal((await sender.signed('{"id":"evt_dark_3","type":"x.dark"}')).status, 202);
  assert.deepEqual((await said('publish.journaled', 2)).map((line) => [line.event_id, line.level]), [['evt_dark_2', 'warn'], ['evt_dark_3', 'error']]);
  assert.equal(JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json')).journal.events, 2);

  const [told] = await said('broker.degraded', 1);
  assert.equal(told.level, 'error');
  assert.ok(told.away_ms >= 3000, JSON.stringify(told));
  assert.equal(JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json')).broker.state, 'degraded');
  assert.equal(await stack.metric('sluice_broker_state{state="degraded"}'), 1);
  assert.equal((await sender.signed('{"id":"evt_dark_4","type":"x.dark"}')).status, 202);
  assert.equal((await said('publish.journaled', 3)).at(-1).reason, 'degraded');
  await servers.start('rabbitmq');
  await until('the publisher says it is well', async () => (await health()) === 'ok');
  const back = (await said('broker.connected', 2)).at(-1);
  assert.ok(back.away_ms > told.away_ms);
  assert.equal(await stack.metric('sluice_broker_state{state="degraded"}'), 0);
  assert.equal(await stack.metric('sluice_broker_state{state="up"}'), 1);
  assert.equal(lines('broker.degraded').length, 1);
});

test('LOG_LEVEL changes while it runs; lines of loss do not care', async () => {
  await begin('level', { withConsumer: false });
  const forged = () => sender.post('{}', { 'stripe-signature': 't=1,v1=00' });
  await forged();
  await said('webhook.refused', 1);
  await stack.sluice('log', 'set', '--level', 'error');
  await forged(); // nobody is told
  assert.deepEqual(JSON.parse(await stack.sluice('log', 'show', '-o', 'json')), [
    { name: 'LOG_LEVEL', level: 'error' }, { name: 'EVENTBUS_DEGRADED_LOG_LEVEL', level: 'warn' }]);
  await reload(); // back to what is configured
  assert.equal(lines('webhook.refused').length, 1);
  await forged();
  await said('webhook.refused', 2);
  assert.deepEqual(lines('log.level_changed').map((line) => [line.from, line.to, line.by]), [['info', 'error', 'an operator'], ['error', 'info', 'a reload']]);
});

test('a signing secret is rotated under load without refusing anybody', async () => {
  await begin('rotate');
  const [first, second] = [newSecret(), newSecret()];
  put('secret', `${first}\n`);
  await restartWith({ STRIPE_WEBHOOK_SECRET: '', STRIPE_WEBHOOK_SECRET_FILE: file('secret') });
  const secrets = { now: [first] };
  const traffic = load(secrets);
  await traffic.sent(200);

  put('secret', `${second},${first}\n`);
  assert.equal((await reload()).changed, 'STRIPE_WEBHOOK_SECRET');
  secrets.now = [first, second];
  await traffic.sent(200);
  for (let i = 0; i < 20; i += 1) await reload(); // nothing new: nothing happens
  await traffic.sent(100);
  secrets.now = [second];
  await traffic.sent(100); // what was signed with the first one has been answered
  put('secret', `${second}\n`);
  assert.equal((await reload()).secrets, 1);
  await traffic.sent(200);
  const answers = await traffic.stop();

  assert.deepEqual(answers.filter(({ status }) => status !== 200), []);
  assert.ok(answers.some(({ secret }) => secret === second) && answers.some(({ secret }) => secret === first));
  const body = '{"id":"evt_old","type":"x.old"}';
  assert.equal((await sender.post(body, { 'stripe-signature': signature(first, body) })).status, 400);
  await until('every event is applied', async () => (await inbox()).size === answers.length, 60000);
  const log = stack.logOf(stack.publisher);
  for (const secret of [first, second]) assert.ok(!log.includes(secret.slice(6)));
});

test('a broken configuration is rejected as a whole, and a right one is taken', async () => {
  await begin('broken', { withConsumer: false });
  const secret = newSecret();
  put('secret', secret);
  put('sluice.conf', 'LOG_LEVEL=info\n');
  await restartWith({ STRIPE_WEBHOOK_SECRET: '', STRIPE_WEBHOOK_SECRET_FILE: file('secret'), SLUICE_CONFIG: file('sluice.conf') });
  stack.secret = secret;
  const traffic = load();
  await traffic.sent(50);
  put('secret', 'too short');
  put('sluice.conf', 'LOG_LEVEL=loud\nSLUICE_TYPO=1\nEVENTBUS_DEGRADED_LOG_LEVEL=error\n');
  const failed = await reload('process.reload_failed');
  assert.equal(failed.level, 'error');
  assert.equal(failed.mistakes, 3);
  const told = [failed.mistake_1, failed.mistake_2, failed.mistake_3].join('\n');
  for (const name of ['LOG_LEVEL', 'SLUICE_TYPO', 'STRIPE_WEBHOOK_SECRET']) assert.match(told, new RegExp(name));
  assert.ok(!told.includes('too short'));
  await traffic.sent(50);
  assert.match(await stack.sluice('log', 'show'), /EVENTBUS_DEGRADED_LOG_LEVEL +warn/); // all of it was rejected

  put('secret', secret);
  put('sluice.conf', 'EVENTBUS_DEGRADED_LOG_LEVEL=error\nSLUICE_HTTP_IDLE_TIMEOUT=70s\n');
  const done = await reload();
  assert.equal(done.changed, 'EVENTBUS_DEGRADED_LOG_LEVEL');
  assert.equal(done.needs_restart, 'SLUICE_HTTP_IDLE_TIMEOUT');
  await traffic.sent(50);
  assert.deepEqual((await traffic.stop()).filter(({ status }) => status !== 200), []);
  assert.match(await stack.sluice('log', 'show'), /EVENTBUS_DEGRADED_LOG_LEVEL +error/);
});

test('another broker takes over under load without a gap; a wrong address costs nothing', async () => {
  await begin('move', { withConsumer: false });
  const second = `${stack.name}_second`;
  await stack.api('PUT', `/api/vhosts/${second}`, {});
  extra.push(() => stack.api('DELETE', `/api/vhosts/${second}`));
  const secondUrl = new URL(stack.amqpUrl);
  secondUrl.pathname = `/${second}`;
  const { execFileSync } = await import('node:child_process');
  execFileSync(path.join(process.env.SLUICE_BIN, 'sluice'), ['topology', 'apply'], { env: { ...stack.environment, AMQP_URL: secondUrl.toString() } });
  put('amqp', stack.amqpUrl);
  await restartWith({ AMQP_URL: '', AMQP_URL_FILE: file('amqp') });
  const traffic = load();
  await traffic.sent(100);

  put('amqp', 'amqp://nobody:nothing@127.0.0.1:1/x');
  assert.equal((await reload()).changed, 'AMQP_URL');
  await until('the wrong address is said', () => lines('broker.change_failed').length > 0);
  assert.equal(JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json')).broker.changing, true);
  await traffic.sent(100);
  put('amqp', secondUrl.toString());
  await reload();
  await until('the new one is in use', () => lines('broker.changed').length === Number(process.env.SLUICE_LOOPS ?? 1));
  await traffic.sent(300);
  const answers = await traffic.stop();
  assert.deepEqual(answers.filter(({ status }) => status !== 200), []);
  assert.equal(lines('publish.journaled').length, 0);
  assert.equal(JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json')).broker.changing, false);

  // `x.load` goes to nobody: with the billing queue bound to stripe.#, every event lies there once.
  const depth = async (vhost) => {
    const queues = await stack.api('GET', `/api/queues/${vhost}`);
    return queues.reduce((sum, queue) => sum + (queue.messages ?? 0), 0);
  };
  await until('all events lie in the two brokers', async () => (await depth(stack.name)) + (await depth(second)) === answers.length);
  assert.ok((await depth(second)) >= 300 - 16); // one of each connection was on its way to the first
  assert.ok((await depth(stack.name)) >= 200);
  assert.ok(!stack.logOf(stack.publisher).includes(secondUrl.password));
});

test('the counts that Sentry got add up to the lines of the log', async () => {
  await begin('sentry', { withConsumer: false });
  keepVhost = true;
  const events = new Map();
  let refusals = 2;
  const sentry = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      assert.equal(request.url, '/api/42/envelope/');
      assert.match(request.headers['x-sentry-auth'], /sentry_key=public,?/);
      refusals -= 1;
      if (refusals < 0) {
        const event = JSON.parse(Buffer.concat(parts).toString().split('\n')[2]);
        events.set(event.event_id, event);
      }
      response.statusCode = refusals < 0 ? 200 : 503;
      response.end('{}');
    });
  });
  await new Promise((resolve) => sentry.listen(0, '127.0.0.1', resolve));
  extra.push(() => new Promise((resolve) => sentry.close(resolve)));
  await restartWith({ SENTRY_DSN: `http://public@127.0.0.1:${sentry.address().port}/42`, SENTRY_ENVIRONMENT: 'test' });
  await servers.stop('rabbitmq');
  extra.push(() => servers.start('rabbitmq'));
  await until('the publisher says it is degraded', async () => (await health()) === 'degraded');
  for (let i = 0; i < 30; i += 1) {
    assert.equal((await sender.signed(`{"id":"evt_s${i}","type":"invoice.paid"}`)).status, 202);
    if (i % 3 === 0) assert.equal((await sender.signed(`{"id":"evt_t${i}","type":"charge.refunded"}`)).status, 202);
  }
  // The minute's end sends it; two failures are for that. Then the last counts go out with the program.
  await until('Sentry was asked', () => refusals <= 0, 70000);
  refusals = 0;
  for (let i = 0; i < 5; i += 1) assert.equal((await sender.signed(`{"id":"evt_u${i}","type":"charge.refunded"}`)).status, 202);
  const end = await stack.terminate(stack.publisher);
  assert.equal(end.code, 0, stack.logOf(stack.publisher).slice(-2000));

  const told = lines('publish.journaled');
  assert.equal(told.length, 45);
  const sum = [...events.values()].reduce((total, event) => total + event.extra.count, 0);
  assert.equal(sum, told.length, `Sentry: ${JSON.stringify([...events.values()].map((event) => [event.tags.type, event.extra.count]))}`);
  for (const event of events.values()) {
    assert.equal(event.tags['eventbus.status'], 'degraded');
    assert.equal(event.tags.source, 'stripe');
    assert.equal(event.environment, 'test');
    assert.ok(!JSON.stringify(event).includes('evt_'));
  }
  assert.equal(lines('sentry.failed').length, 1);
  assert.equal(lines('sentry.unsent').length, 0);
});

test('the socket of a killed publisher is replaced by the next one', async () => {
  await begin('killed', { withConsumer: false });
  stack.publisher.kill('SIGKILL');
  await stack.publisher.ended;
  await assert.rejects(stack.sluice('ingest', 'status'), (error) => error.code === 69 && /nobody serves/.test(error.stderr));
  await stack.startPublisher();
  const status = JSON.parse(await stack.sluice('ingest', 'status', '-o', 'json'));
  assert.equal(status.pid, stack.publisher.pid);
  await stack.terminate(stack.publisher);
  await assert.rejects(stack.sluice('ingest', 'status'), (error) => error.code === 69 && /there is no/.test(error.stderr));
});
