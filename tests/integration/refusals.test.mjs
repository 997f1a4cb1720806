// refusals - what is not authentic leaves no trace; what is authentic but odd is never refused.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import http from 'node:http';
import { Sender, signature } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

let stack;
let sender;
const MIB = 1048576;
const now = () => Math.floor(Date.now() / 1000);
const body = JSON.stringify({ id: 'evt_refused', object: 'event', type: 'customer.created', created: now(), data: { object: { id: 'cus_x', object: 'customer' } } });

before(async () => {
  stack = await Stack.start('refusals');
  sender = new Sender(stack);
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const good = () => signature(stack.secret, body);
const forged = {
  'no signature': () => undefined,
  'an empty header': () => '',
  'another secret': () => signature('whsec_another_secret_of_someone', body),
  'a body that was changed': () => signature(stack.secret, `${body} `),
  'a timestamp 301 s old': () => signature(stack.secret, body, { timestamp: now() - 302 }),
  'a timestamp 301 s ahead': () => signature(stack.secret, body, { timestamp: now() + 310 }),
  'a truncated signature': () => good().slice(0, -1),
  'a truncated header': () => good().slice(0, 20),
  'scheme v0 only': () => good().replace('v1=', 'v0='),
  'no timestamp': () => good().replace(/t=\d+,/, ''),
  'two timestamps': () => `t=${now()},${good()}`,
  'a timestamp with a sign': () => good().replace('t=', 't=+'),
  'words': () => 'not a signature at all',
};

for (const [name, make] of Object.entries(forged)) {
  test(`${name}: 400 with a fixed body`, async () => {
    const header = make();
    const answer = await sender.post(body, header === undefined ? {} : { 'stripe-signature': header });
    assert.equal(answer.status, 400);
    assert.equal(answer.body, '{"error":"not authentic"}');
  });
}

test('a signature sent twice is refused', async () => {
  const answer = await sender.post(body, { 'stripe-signature': [good(), good()] });
  assert.equal(answer.status, 400);
});

test('of all refused requests nothing reached the broker or the database', async () => {
  assert.equal((await stack.metric('sluice_publish_total')) ?? 0, 0);
  assert.equal(await stack.value('SELECT count(*) FROM sluice_inbox'), '0');
});

const pad = (text, bytes) => text.replace('PAD', 'p'.repeat(bytes - Buffer.byteLength(text) + 3));
const deep = `{"id":"evt_deep","type":"x.deep","created":1,"data":{"object":${'['.repeat(10000)}${']'.repeat(10000)}}}`;
const odd = [
  { name: 'exactly 1 MiB', body: pad('{"id":"evt_mib","type":"x.big","pad":"PAD"}', MIB), id: 'evt_mib' },
  { name: '10,000 levels deep', body: deep, id: 'evt_deep' },
  { name: 'a 30-digit number', body: '{"id":"evt_digits","type":"x.digits","created":123456789012345678901234567890,"n":-123456789012345678901234567890}', id: 'evt_digits' },
  { name: 'an escaped NUL', body: '{"id":"evt_nul","type":"x.nul","data":{"object":{"id":"a\\u0000b"}}}', id: 'evt_nul' },
  { name: 'a lone surrogate', body: '{"id":"evt_surrogate","type":"x.surrogate","text":"\\ud800"}', id: 'evt_surrogate' },
  { name: 'a raw NUL byte', body: Buffer.from('{"id":"evt_raw","n":"a\0b"}'), id: 'sha256' },
  { name: 'invalid UTF-8', body: Buffer.concat([Buffer.from('{"id":"evt_utf8","n":"'), Buffer.from([0xff]), Buffer.from('"}')]), id: 'sha256' },
  { name: 'not JSON', body: '} I am not JSON; 123][', id: 'sha256' },
  { name: 'a byte order mark', body: Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from('{"id":"evt_bom","type":"x.bom"}')]), id: 'evt_bom' },
  { name: 'an unknown type', body: '{"id":"evt_unknown","type":"someday.maybe","created":1700000000}', id: 'evt_unknown' },
  { name: 'a type no routing key can carry', body: '{"id":"evt_odd_type","type":"we ird/type#*"}', id: 'evt_odd_type' },
  { name: 'a known type whose object is a string', body: '{"id":"evt_no_object","type":"customer.created","created":1700000000,"data":{"object":"gone"}}', id: 'evt_no_object' },
];

for (const one of odd) {
  test(`${one.name}: 200, and the bytes are kept`, async () => {
    const payload = Buffer.from(one.body);
    // The package signs text; bytes that are not UTF-8 are signed by hand, in the same form.
    const { createHmac } = await import('node:crypto');
    const t = now();
    const mac = createHmac('sha256', stack.secret).update(`${t}.`).update(payload).digest('hex');
    const answer = await sender.post(payload, { 'stripe-signature': `t=${t},v1=${mac}` });
    assert.equal(answer.status, 200, answer.body);
    const { id } = JSON.parse(answer.body);
    assert.ok(one.id === 'sha256' ? /^sha256:[0-9a-f]{64}$/.test(id) : id === one.id, id);
    const kept = await until('the bytes are stored', () =>
      stack.value(`SELECT encode(sha256(body), 'hex') FROM sluice_inbox WHERE event_id = '${id}'
                   UNION ALL SELECT 'dead' FROM sluice_dead_letter WHERE event_id = '${id}'`));
    const { createHash } = await import('node:crypto');
    assert.equal(kept, createHash('sha256').update(payload).digest('hex'));
  });
}

test('an empty body with a right signature: 400', async () => {
  const answer = await sender.signed('');
  assert.equal(answer.status, 400);
});

test('1 MiB + 1: 413 that the client can read', async () => {
  const answer = await sender.signed(pad('{"id":"evt_too_big","pad":"PAD"}', MIB + 1));
  assert.equal(answer.status, 413);
  assert.equal(await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id = 'evt_too_big'"), '0');
});

test('the alias of the billing webhook answers alike', async () => {
  const alias = new Sender(stack, { path: '/api/v1/billing/webhook' });
  assert.equal((await alias.signed('{"id":"evt_alias","type":"x.alias"}')).status, 200);
  alias.close();
});

const requests = [
  ['GET', '/webhooks/stripe', {}, 405],
  ['POST', '/webhooks/unknown', { 'content-length': '0' }, 404],
  ['POST', '/', { 'content-length': '0' }, 404],
  ['GET', '/metrics', {}, 404],
  ['POST', '/webhooks/stripe', { 'content-encoding': 'gzip', 'content-length': '0' }, 415],
];
for (const [method, path, headers, status] of requests) {
  test(`${method} ${path} ${JSON.stringify(headers)}: ${status}`, async () => {
    const answered = await new Promise((resolve, reject) => {
      const request = http.request({ host: '127.0.0.1', port: stack.httpPort, method, path, headers }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer));
      });
      request.on('error', reject);
      request.end();
    });
    assert.equal(answered.statusCode, status);
    if (status === 405) assert.equal(answered.headers.allow, 'POST');
  });
}

test('health speaks in the agreed keys', async () => {
  const health = await (await fetch(`${stack.url}/health`)).json();
  assert.deepEqual(Object.keys(health), ['service', 'status', 'timestamp', 'version']);
  assert.equal(health.status, 'ok');
  assert.equal((await fetch(`${stack.url}/livez`)).status, 200);
  assert.equal((await fetch(`${stack.url}/readyz`)).status, 200);
});

test('no secret is in any log line', async () => {
  for (const child of [stack.publisher, stack.consumer]) {
    const log = stack.logOf(child);
    assert.ok(log.length > 0);
    assert.ok(!log.includes(stack.secret.slice(6)));
    assert.ok(!log.includes(new URL(stack.amqpUrl).password));
    for (const line of log.trim().split('\n')) JSON.parse(line);
  }
});
