// schemas - what the running publisher answers and publishes is what openapi.yaml and asyncapi.yaml say: no status, header or key more.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { test, before, after } from 'node:test';
import { decode } from '@msgpack/msgpack';
import amqp from 'amqplib';
import { asyncapi, compile, openapi } from './lib/schemas.mjs';
import { signature } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const event = JSON.stringify({
  id: 'evt_schemas', object: 'event', type: 'customer.created', created: 1700000000, livemode: false,
  data: { object: { id: 'cus_schemas', object: 'customer' } },
});
const webhook = '/webhooks/{source}';
const alias = '/api/v1/billing/webhook';
const events = '/api/v1/events';
const token = 'a-token-of-the-console-0123456789abcdef';
const MIB = 1048576;

let stack;
const seen = new Set();

before(async () => {
  stack = await Stack.start('schemas', { withConsumer: false, publisher: { QUEUE_SERVICE_TOKEN_CONSOLE: token } });
});
after(() => stack?.stop());

function ask({ method = 'POST', path, headers = {}, body, port = stack.httpPort }) {
  return new Promise((resolve, reject) => {
    const length = method === 'POST' && !('transfer-encoding' in headers) ? { 'content-length': Buffer.byteLength(body ?? '') } : {};
    const request = http.request({ host: '127.0.0.1', port, method, path, agent: false, headers: { ...length, ...headers } }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts).toString() }));
      answer.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

// For what no HTTP client would send.
function say(bytes) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(stack.httpPort, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (part) => { text += part; });
    socket.on('error', reject);
    socket.on('close', () => {
      const [head, body] = text.split('\r\n\r\n');
      const [first, ...fields] = head.split('\r\n');
      const headers = Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 2)]));
      resolve({ status: Number(first.split(' ')[1]), headers, body });
    });
  });
}

const pointer = (parts) => `#/${parts.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`;

function conforms(route, method, answer) {
  let at = ['paths', route, method, 'responses', String(answer.status)];
  let described = openapi.paths[route][method].responses[answer.status];
  assert.ok(described, `${route}: ${answer.status} is not described`);
  if (described.$ref) {
    at = described.$ref.slice(2).split('/');
    described = openapi.components.responses[at.at(-1)];
  }
  const media = answer.headers['content-type'];
  assert.ok(Object.keys(described.content).includes(media), `${answer.status}: ${media} is not described`);
  const check = compile(openapi, pointer([...at, 'content', media, 'schema']));
  assert.ok(check(JSON.parse(answer.body)), `${answer.body}: ${JSON.stringify(check.errors)}`);
  for (const [header, name] of [['retry-after', 'Retry-After'], ['allow', 'Allow'], ['www-authenticate', 'WWW-Authenticate']]) {
    assert.equal(header in answer.headers, name in (described.headers ?? {}), `${answer.status}: ${name}`);
  }
  if ('retry-after' in answer.headers) assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
  seen.add(`${route} ${answer.status}`);
}

const signed = (body) => ({ 'stripe-signature': signature(stack.secret, body) });
const stripe = '/webhooks/stripe';
const bearer = { authorization: `Bearer ${token}` };
const requests = [
  ['a signed event', webhook, 200, () => ask({ path: stripe, body: event, headers: signed(event) })],
  ['a signed event that is not JSON', webhook, 200, () => ask({ path: stripe, body: '}', headers: signed('}') })],
  ['a signed event at the alias', alias, 200, () => ask({ path: alias, body: event, headers: signed(event) })],
  ['no signature', webhook, 400, () => ask({ path: stripe, body: event })],
  ['no signature at the alias', alias, 400, () => ask({ path: alias, body: event })],
  ['an empty body', webhook, 400, () => ask({ path: stripe, body: '', headers: signed('') })],
  ['not HTTP', webhook, 400, () => say('GET stripe HTTP/1.1\r\nHost: a\r\n\r\n')],
  ['another source', webhook, 404, () => ask({ path: '/webhooks/other', body: event })],
  ['a GET', webhook, 405, () => ask({ method: 'GET', path: stripe })],
  ['a GET at the alias', alias, 405, () => ask({ method: 'GET', path: alias })],
  ['a body without a length', webhook, 411, () => say('POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')],
  ['1 MiB and a byte', webhook, 413, () => say(`POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: ${MIB + 1}\r\n\r\n`)],
  ['a long target', webhook, 414, () => say(`POST /webhooks/${'x'.repeat(12000)} HTTP/1.1\r\nHost: a\r\n\r\n`)],
  ['a content encoding', webhook, 415, () => ask({ path: stripe, body: event, headers: { ...signed(event), 'content-encoding': 'gzip' } })],
  ['a large head', webhook, 431, () => say(`POST /webhooks/stripe HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(17000)}\r\n\r\n`)],
  ['an event of ours', events, 200, () => ask({ path: events, body: '{"id":"o1","type":"t"}', headers: bearer })],
  ['a batch of ours', events, 200, () => ask({ path: events, body: '[{"id":"o1","type":"t"},{"id":"o2","type":"t"}]', headers: bearer })],
  ['a batch with a wrong one', events, 207, () => ask({ path: events, body: '[{"id":"o1","type":"t"},{}]', headers: bearer })],
  ['a wrong event', events, 400, () => ask({ path: events, body: '{}', headers: bearer })],
  ['a batch of wrong ones', events, 400, () => ask({ path: events, body: '[{},7]', headers: bearer })],
  ['no token', events, 401, () => ask({ path: events, body: '{}' })],
  ['a GET of events', events, 405, () => ask({ method: 'GET', path: events, headers: bearer })],
  ['events without a length', events, 411, () => say(`POST /api/v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: ${bearer.authorization}\r\nConnection: close\r\n\r\n`)],
  ['events that are text', events, 415, () => ask({ path: events, body: '{}', headers: { ...bearer, 'content-type': 'text/plain' } })],
  ['health', '/health', 200, () => ask({ method: 'GET', path: '/health' })],
  ['a POST to health', '/health', 405, () => ask({ path: '/health' })],
  ['livez', '/livez', 200, () => ask({ method: 'GET', path: '/livez' })],
  ['a POST to livez', '/livez', 405, () => ask({ path: '/livez' })],
  ['readyz', '/readyz', 200, () => ask({ method: 'GET', path: '/readyz' })],
  ['a POST to readyz', '/readyz', 405, () => ask({ path: '/readyz' })],
];
for (const [name, route, status, send] of requests) {
  test(`${name}: ${status}, as described`, async () => {
    const answer = await send();
    assert.equal(answer.status, status, answer.body);
    conforms(route, ['/health', '/livez', '/readyz'].includes(route) ? 'get' : 'post', answer);
  });
}

test('a message on sluice.events is the envelope that is described', async () => {
  const connection = await amqp.connect(stack.amqpUrl);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const { exchange } = asyncapi.channels.events.bindings.amqp;
  await channel.bindQueue(queue, exchange.name, '#');
  assert.equal((await ask({ path: stripe, body: event, headers: { ...signed(event), 'content-type': 'application/json' } })).status, 200);
  const message = await until('the message is there', () => channel.get(queue, { noAck: true }));
  await connection.close();

  assert.equal(message.fields.routingKey, 'stripe.customer.created');
  assert.equal(message.properties.contentType, asyncapi.components.messages.event.contentType);
  assert.equal(message.properties.deliveryMode, asyncapi.operations.publishEvent.bindings.amqp.deliveryMode);
  assert.equal(message.properties.messageId, 'evt_schemas');
  assert.equal(message.properties.appId, 'sluice');
  const envelope = decode(message.content);
  assert.equal(Buffer.from(envelope.body).toString(), event);
  const shown = { ...envelope, body: Buffer.from(envelope.body).toString('base64') };
  const check = compile(asyncapi, '#/components/schemas/envelope');
  assert.ok(check(shown), JSON.stringify(check.errors));
  const known = Object.keys(asyncapi.components.schemas.envelope.properties);
  assert.deepEqual(Object.keys(shown).filter((key) => !known.includes(key)), []);
});

for (const status of [429, 503]) {
  test(`paused with ${status}: ${status}, as described`, async () => {
    await stack.sluice('ingest', 'pause', '--answer', String(status));
    const answer = await ask({ path: stripe, body: event, headers: signed(event) });
    await stack.sluice('ingest', 'resume');
    assert.equal(answer.status, status, answer.body);
    conforms(webhook, 'post', answer);
  });
}

// Without a broker, under each policy: what the sender gets, and whether more may be sent.
const away = [
  ['journal', 202, 200, { SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' }],
  ['drop', 202, 200, {}],
  ['reject', 503, 503, {}],
];
for (const [policy, status, readiness, more] of away) {
  test(`without a broker, policy ${policy}: ${status}, degraded health, readyz ${readiness}`, async () => {
    await stack.terminate(stack.publisher);
    stack.publisher = stack.spawn('sluice-publisher', {
      ...stack.publisherEnvironment, AMQP_URL: 'amqp://nobody:nothing@127.0.0.1:1', SLUICE_DEGRADED_POLICY: policy, ...more,
    });
    const health = await until('it has tried', async () => {
      const answer = await ask({ method: 'GET', path: '/health' });
      const { body: said } = await ask({ method: 'GET', path: '/readyz' });
      return JSON.parse(answer.body).status === 'degraded' && !said.includes('first attempt') && answer;
    });
    conforms('/health', 'get', health);
    const ready = await ask({ method: 'GET', path: '/readyz' });
    assert.equal(ready.status, readiness, ready.body);
    conforms('/readyz', 'get', ready);
    const answer = await ask({ path: stripe, body: event, headers: signed(event) });
    assert.equal(answer.status, status, answer.body);
    conforms(webhook, 'post', answer);
  });
}

test('every status that is described was seen, but for the guard and a deadline that takes seconds', () => {
  const described = Object.keys(openapi.paths[webhook].post.responses).map((status) => `${webhook} ${status}`);
  assert.deepEqual(described.filter((one) => !seen.has(one)), [`${webhook} 403`, `${webhook} 408`]); // 403: guards.test.mjs
});
