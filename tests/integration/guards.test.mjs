// guards - who gets past the door: the origin guard, bearer tokens, rates and floods; and that nothing of what is secret or crooked reaches a log.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Sender, signature } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const originSecret = `edge-${randomBytes(20).toString('hex')}`;
const token = { console: randomBytes(24).toString('hex'), raptor: randomBytes(24).toString('hex'), cron: randomBytes(24).toString('hex'), old: randomBytes(24).toString('hex') };
const stacks = [];
let plain;
let guarded;
let report;

async function start(name, publisher) {
  const stack = await Stack.start(`guards_${name}`, { withConsumer: false, withPublisher: false });
  Object.assign(stack.publisherEnvironment, typeof publisher === 'function' ? publisher(stack) : publisher);
  await stack.startPublisher();
  stacks.push(stack);
  return stack;
}

before(async () => {
  plain = await start('plain', (stack) => {
    const sources = path.join(stack.dir, 'sources.conf');
    writeFileSync(sources, '[slow]\nscheme = hmac\nheader = X-Signature\nrate = 1\nburst = 3\n');
    stack.cronFile = path.join(stack.dir, 'cron.token');
    writeFileSync(stack.cronFile, `${token.cron},${token.old}`);
    return { SLUICE_SOURCES: sources, SLOW_WEBHOOK_SECRET: token.console, SLUICE_BAD_SIGNATURES_MAX: '100', SLUICE_TRUSTED_PROXIES: '127.0.0.1/32',
      QUEUE_SERVICE_TOKEN_CONSOLE: token.console, QUEUE_SERVICE_TOKEN_RAPTOR: token.raptor, QUEUE_SERVICE_TOKEN_CRON_FILE: stack.cronFile };
  });
  guarded = await start('on', { FLAG_ENFORCE_QUEUE_CF_ORIGIN: 'true', SLUICE_ORIGIN_SECRET: originSecret, QUEUE_SERVICE_TOKEN_CONSOLE: token.console });
  report = await start('report', { FLAG_ENFORCE_QUEUE_CF_ORIGIN: 'report' });
});
after(async () => {
  for (const stack of stacks) await stack.stop();
});

const event = (id) => JSON.stringify({ id, object: 'event', type: 'customer.created', created: 1700000000, data: { object: { id: 'cus_g' } } });
async function post(stack, target, body, headers = {}) {
  const sender = new Sender(stack, { path: target, connections: 1 });
  const answer = await sender.post(body, headers);
  sender.close();
  return answer;
}
const signed = (stack, body) => ({ 'stripe-signature': signature(stack.secret, body) });
const edge = { 'cf-connecting-ip': '203.0.113.9', 'x-origin-secret': originSecret };

test('E12 the origin guard: forged headers on the origin itself are 403, what comes through the edge is taken', async () => {
  const body = event('evt_guarded');
  const rows = [
    ['nothing', {}, 403],
    ['CF-Connecting-IP alone', { 'cf-connecting-ip': '203.0.113.9' }, 403],
    ['X-Forwarded-For and the rest of the family', { 'x-forwarded-for': '203.0.113.9', 'cf-ray': 'x', 'cf-visitor': '{"scheme":"https"}' }, 403],
    ['a wrong secret', { ...edge, 'x-origin-secret': originSecret.replace(/.$/, '!') }, 403],
    ['a prefix of the secret', { ...edge, 'x-origin-secret': originSecret.slice(0, -1) }, 403],
    ['the secret without an address', { 'x-origin-secret': originSecret }, 403],
    ['two addresses', { ...edge, 'cf-connecting-ip': ['203.0.113.9', '203.0.113.9'] }, 403],
    ['the secret twice', { ...edge, 'x-origin-secret': [originSecret, originSecret] }, 403],
    ['the edge', edge, 200],
  ];
  for (const [name, headers, status] of rows) {
    const answer = await post(guarded, '/webhooks/stripe', body, { ...signed(guarded, body), ...headers });
    assert.equal(answer.status, status, name);
    if (status === 403) assert.equal(answer.body, '{"error":"forbidden"}');
  }
  assert.equal((await post(guarded, '/api/v1/events', '{}', { authorization: `Bearer ${token.console}` })).status, 403);
  assert.equal((await post(guarded, '/api/v1/billing/webhook', body, signed(guarded, body))).status, 403);
  assert.equal((await post(guarded, '/webhooks/nobody', body)).status, 403);
});

test('the guard covers a health that came through a proxy, never livez and readyz', async () => {
  const get = async (target, headers = {}) => (await fetch(`${guarded.url}${target}`, { headers })).status;
  assert.equal(await get('/health', { 'x-forwarded-for': '203.0.113.9' }), 403);
  assert.equal(await get('/health', { 'cf-connecting-ip': '203.0.113.9' }), 403);
  assert.equal(await get('/health', edge), 200);
  for (const target of ['/health', '/livez', '/readyz']) assert.equal(await get(target), 200);
  for (const target of ['/livez', '/readyz']) assert.equal(await get(target, { 'cf-connecting-ip': '203.0.113.9' }), 200);
});

test('report only counts, and the start says that nobody could pass', async () => {
  const body = event('evt_report');
  assert.equal((await post(report, '/webhooks/stripe', body, signed(report, body))).status, 200);
  assert.equal(await report.metric('sluice_origin_guard_total{outcome="reported",reason="no_address"}'), 1);
  const warning = JSON.stringify((await report.said(report.publisher, 'config.warning', 1))[0]);
  assert.match(warning, /once it enforces, would let nobody in/);
  assert.match(warning, /FLAG_ENFORCE_QUEUE_CF_ORIGIN=report: .* no request would pass; each is let in and counted/);
});

test('E15 bearer tokens: one form, whole, never in the query', async () => {
  const one = JSON.stringify({ id: 'e15', type: 't' });
  const rows = [
    ['missing', {}],
    ['empty', { authorization: '' }],
    ['bearer in lower case', { authorization: `bearer ${token.console}` }],
    ['two spaces', { authorization: `Bearer  ${token.console}` }],
    ['a prefix', { authorization: `Bearer ${token.console.slice(0, -1)}` }],
    ['one byte more', { authorization: `Bearer ${token.console}0` }],
    ['basic', { authorization: `Basic ${Buffer.from(`x:${token.console}`).toString('base64')}` }],
    ['in the query', {}, `?token=${token.console}&access_token=${token.console}`],
    ['another field', { 'x-api-key': token.console }],
  ];
  let body;
  for (const [name, headers, query = ''] of rows) {
    const answer = await post(plain, `/api/v1/events${query}`, one, headers);
    assert.equal(answer.status, 401, name);
    assert.equal(answer.headers['www-authenticate'], 'Bearer');
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    body ??= answer.body;
    assert.equal(answer.body, body, 'one body for all');
  }
  const twice = await post(plain, '/api/v1/events', one, { authorization: [`Bearer ${token.console}`, `Bearer ${token.console}`] });
  assert.ok([400, 401].includes(twice.status));
  for (const caller of ['console', 'raptor', 'cron']) {
    assert.equal((await post(plain, '/api/v1/events', JSON.stringify({ id: `e15_${caller}`, type: 't' }), { authorization: `Bearer ${token[caller]}` })).status, 200, caller);
    assert.equal(await plain.metric(`sluice_api_calls_total{route="events",caller="${caller}"}`), 1);
  }
});

test('E15 rotation: two live values, and the old one not after; without a restart', async () => {
  const use = async (value, id) => (await post(plain, '/api/v1/events', JSON.stringify({ id, type: 't' }), { authorization: `Bearer ${value}` })).status;
  assert.deepEqual([await use(token.cron, 'rot_1'), await use(token.old, 'rot_2')], [200, 200]);
  writeFileSync(plain.cronFile, token.cron);
  plain.publisher.kill('SIGHUP');
  await until('the old token is out', () => plain.logOf(plain.publisher).includes('QUEUE_SERVICE_TOKEN_*'));
  assert.deepEqual([await use(token.cron, 'rot_3'), await use(token.old, 'rot_4')], [200, 401]);
});

test('a source over its rate: 429 with Retry-After, and what it did not use up is not lost to others', async () => {
  const mac = (body) => createHmac('sha256', token.console).update(body).digest('hex');
  for (let i = 0; i < 8; i += 1) {
    const body = `{"id":"bad_${i}"}`;
    const bad = await post(plain, '/webhooks/slow', body, { 'x-signature': mac(`${body} `), 'cf-connecting-ip': '198.51.100.77' });
    assert.equal(bad.status, 400, 'a bad signature uses nothing up');
  }
  // All at once: one after the other, a slow machine might never be over the rate.
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => post(plain, '/webhooks/slow', `{"id":"rate_${i}"}`, { 'x-signature': mac(`{"id":"rate_${i}"}`) })));
  const refused = answers.filter((answer) => answer.status === 429);
  assert.ok(answers.length - refused.length >= 3 && answers.every((answer) => [200, 429].includes(answer.status)), `${answers.map((answer) => answer.status)}`);
  assert.ok(refused.length > 0, 'none was over the rate');
  for (const answer of refused) assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
  assert.ok((await plain.metric('sluice_events_received_total{source="slow",outcome="rate"}')) >= 1);
  const body = event('evt_rate_other');
  assert.equal((await post(plain, '/webhooks/stripe', body, signed(plain, body))).status, 200);
});

test('E16 a flood of bad signatures: 429 unseen for its sender, nothing for others', async () => {
  const flooder = new Sender(plain, { connections: 8 });
  const from = (address, body, headers) => flooder.post(body, { ...headers, 'cf-connecting-ip': address });
  const counts = {};
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let i = 0; i < 100; i += 1) {
      const answer = await from('198.51.100.1', event('evt_flood'), { 'stripe-signature': 't=1700000000,v1=00' });
      counts[answer.status] = (counts[answer.status] ?? 0) + 1;
      if (answer.status === 429) assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
    }
  }));
  assert.deepEqual(Object.keys(counts).sort(), ['400', '429']);
  assert.ok(counts[429] > 300, JSON.stringify(counts));
  for (let i = 0; i < 20; i += 1) {
    const body = event(`evt_good_${i}`);
    assert.equal((await from('198.51.100.2', body, signed(plain, body))).status, 200);
  }
  // A good sender behind the same address gets its place back while the flood goes on.
  const body = event('evt_same_address');
  await until('the good sender is seen', async () => (await from('198.51.100.1', body, signed(plain, body))).status === 200);
  assert.equal((await from('198.51.100.1', body, signed(plain, body))).status, 200);
  flooder.close();
});

test('FLAG_QUEUE_BILLING=false: billing routes 503, the rest stays up, and a missing secret is a warning', async () => {
  const off = await start('billing_off', { FLAG_QUEUE_BILLING: 'false', STRIPE_WEBHOOK_SECRET: '', QUEUE_SERVICE_TOKEN_CONSOLE: token.console });
  const body = event('evt_off');
  for (const target of ['/webhooks/stripe', '/api/v1/billing/webhook', '/api/v1/billing/customers']) {
    const answer = await post(off, target, body, signed(off, body));
    assert.equal(answer.status, 503, target);
    assert.ok(answer.headers['retry-after']);
  }
  assert.equal((await post(off, '/api/v1/events', JSON.stringify({ id: 'off_1', type: 't' }), { authorization: `Bearer ${token.console}` })).status, 200);
  assert.equal((await fetch(`${off.url}/health`)).status, 200);
  await until('the start warns', () => /config\.warning.*STRIPE_WEBHOOK_SECRET/.test(off.logOf(off.publisher)));
});

test('FLAG_QUEUE_BILLING=false at the consumer: billing waits in the broker, and goes on when it is switched on', async () => {
  const world = await Stack.start('guards_waits', { withConsumer: false });
  world.consumerEnvironment.FLAG_QUEUE_BILLING = 'false';
  await world.startConsumer();
  const body = event('evt_waits');
  assert.equal((await post(world, '/webhooks/stripe', body, signed(world, body))).status, 200);
  await until('the start warns', () => /config\.warning.*billing is off/.test(world.logOf(world.consumer)));
  const depth = async () => (await world.api('GET', `/api/queues/${world.name}/sluice.billing`)).messages;
  await until('it waits in the broker', async () => (await depth()) === 1, 60000);
  await world.terminate(world.consumer);
  world.consumerEnvironment.FLAG_QUEUE_BILLING = 'true';
  await world.startConsumer();
  await until('it is applied', async () => (await world.value("SELECT count(*) FROM sluice_inbox WHERE event_id = 'evt_waits'")) === '1');
  await world.stop();
});

const refusals = [
  ['a short token', { QUEUE_SERVICE_TOKEN_CONSOLE: 'canary-short' }, 'QUEUE_SERVICE_TOKEN_CONSOLE'],
  ['a token of two callers', { QUEUE_SERVICE_TOKEN_CONSOLE: token.cron, QUEUE_SERVICE_TOKEN_CRON: token.cron }, 'QUEUE_SERVICE_TOKEN_CRON'],
  ['three tokens', { QUEUE_SERVICE_TOKEN_RAPTOR: `${token.cron},${token.console},${token.raptor}` }, 'QUEUE_SERVICE_TOKEN_RAPTOR'],
  ['no network', { SLUICE_TRUSTED_PROXIES: '10.0.0.0/8 edge.example' }, 'SLUICE_TRUSTED_PROXIES'],
  ['a short origin secret', { SLUICE_ORIGIN_SECRET: 'canary-short' }, 'SLUICE_ORIGIN_SECRET'],
  ['another word for the flag', { FLAG_ENFORCE_QUEUE_CF_ORIGIN: 'maybe' }, 'FLAG_ENFORCE_QUEUE_CF_ORIGIN'],
];
for (const [name, change, variable] of refusals) {
  test(`${name}: the start is refused, naming ${variable}`, async () => {
    const { code, stderr } = await new Promise((resolve) => {
      execFile(path.join(process.env.SLUICE_BIN, 'sluice-publisher'), { env: { ...plain.environment, ...change }, timeout: 300000 }, (error, _, text) => resolve({ code: error?.code, stderr: text }));
    });
    assert.equal(code, 78, stderr);
    assert.match(stderr, new RegExp(`^  ${variable}: `, 'm'));
    assert.ok(!stderr.includes('canary') && !Object.values(token).some((one) => stderr.includes(one)));
  });
}

test('E14 crooked text in a request is one escaped line each; canaries and CR LF never reach a log', async () => {
  const canary = `canary${randomBytes(12).toString('hex')}`;
  const raw = (text) => new Promise((resolve) => {
    const socket = net.connect(plain.httpPort, '127.0.0.1', () => socket.end(text));
    socket.on('data', () => {});
    socket.on('error', resolve);
    socket.on('close', resolve);
  });
  await raw(`POST /webhooks/stripe?secret=${canary} HTTP/1.1\r\nHost: x\r\nStripe-Signature: t=1,v1=${canary}\r\nAuthorization: Bearer ${canary}\r\nUser-Agent: \x1b[31m${canary}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`);
  await raw(`POST /api/v1/events?access_token=${canary} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${canary}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`);
  await raw(`GET /%0d%0a${canary} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const odd = JSON.stringify({ id: 'evt_odd_line', type: `x.\r\n{"event":"forged","level":"fatal"}\u001b[31m\u2028${canary}`, data: { object: {} } });
  await post(plain, '/webhooks/stripe', odd, signed(plain, odd));
  await post(plain, '/webhooks/stripe', odd, { ...signed(plain, odd), 'cf-connecting-ip': `${canary}` });
  for (const stack of stacks) {
    const log = stack.logOf(stack.publisher);
    for (const secret of [canary, originSecret, stack.secret.slice(6), ...Object.values(token)]) assert.ok(!log.includes(secret), 'a secret is in a log');
    for (const line of log.trim().split('\n')) {
      assert.notEqual(JSON.parse(line).event, 'forged');
      // eslint-disable-next-line no-control-regex
      assert.ok(!/[\u0000-\u001f\u007f\u2028\u2029]/.test(line), 'a control character is in a log');
    }
  }
});
