// http_handler - events POSTed to a real server: signed as Standard Webhooks has it, each status with its own consequence, none forgotten.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { test, before, after } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { Producer } from './lib/producer.mjs';
import { freePort, Stack, until } from './lib/stack.mjs';

const oldSecret = `whsec_${randomBytes(32).toString('base64')}`;
const newSecret = `whsec_${randomBytes(32).toString('base64')}`;

const section = (name, more = '') => `
[${name}]
handler = http
bindings = shop.${name}.#
url = $TARGET_URL
secret = TARGET_SECRET
timeout = 1m
attempts = 3
backoff = 1s
breaker_consecutive = 1000
breaker_samples = 10000
${more}`; // one verdict after the other, undisturbed by the breaker of their type
const subsystems = section('orders', 'errors.known = done\nerrors.no_stock = retry: order more\nerrors.bad_sku = permanent: mend the catalogue\n')
  + section('slow', 'batch = 8\n') + section('away') + section('locked') + section('late').replace('timeout = 1m', 'timeout = 1s')
  + section('gone').replace('$TARGET_URL', '$GONE_URL');

let stack;
let producer;
let target;
let gone;
let seen; // requests, in order
let gonePort; // nobody listens there at first
let answer; // (request) => {status, headers, body} | null: none at all

before(async () => {
  seen = [];
  const onRequest = (request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const one = { method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(parts), at: Date.now() };
      seen.push(one);
      Promise.resolve(answer(one)).then((what) => {
        if (what === null) request.socket.destroy();
        else response.writeHead(what.status ?? 200, what.headers).end(what.body);
      });
    });
  };
  target = http.createServer(onRequest);
  gone = http.createServer(onRequest);
  await new Promise((resolve) => target.listen(0, '127.0.0.1', resolve));
  gonePort = await freePort();
  answer = () => ({});
  stack = await Stack.start('http_handler', { subsystems, withPublisher: false,
    consumer: { TARGET_URL: `http://127.0.0.1:${target.address().port}/hook?token=x`, GONE_URL: `http://127.0.0.1:${gonePort}/`, TARGET_SECRET: `${oldSecret},${newSecret}` } });
  producer = await Producer.connect(stack);
});
after(async () => {
  target?.closeAllConnections();
  target?.close();
  gone?.closeAllConnections();
  gone?.close();
  await producer?.close();
  await stack?.stop();
});

const order = (id, body = {}, more = {}) => producer.publish({ id, type: 'orders.made', body: { id, ...body }, ...more });
const requestsOf = (id) => seen.filter((one) => one.headers['sluice-event-id'] === id);
const isDone = async (id) => (await stack.value(`SELECT verdict FROM sluice_inbox WHERE event_id = '${id}'`)) === 'applied';
const done = (id) => until(`${id} is in the inbox`, () => isDone(id));
const letterOf = (id) => until(`the dead letter of ${id}`, async () => (await stack.query(
  `SELECT error_class, error_code, attempts, reason, error FROM sluice_dead_letter WHERE event_id = '${id}'`))[0], 60000);
const lines = (event) => stack.logOf(stack.consumer).split('\n').filter((line) => line.includes(`"event":"${event}"`)).map((line) => JSON.parse(line));

test('an event is one POST of its own bytes, signed with both secrets, with what the envelope says', async () => {
  const body = Buffer.from('{ "any":  "white space", "ü": 1 }\n');
  await producer.publish({ id: 'evt-1', type: 'orders.made', body, account: 'acct_ü%', livemode: true, object: 'order_1', occurredAt: 1700000123 });
  await done('evt-1');
  const [request, ...others] = requestsOf('evt-1');
  assert.deepEqual(others, []);
  assert.equal(request.method, 'POST');
  assert.equal(request.url, '/hook?token=x');
  assert.ok(request.body.equals(body));
  for (const secret of [oldSecret, newSecret]) new Webhook(secret).verify(request.body, request.headers);
  assert.throws(() => new Webhook(`whsec_${randomBytes(32).toString('base64')}`).verify(request.body, request.headers));
  const { headers } = request;
  assert.equal(headers['webhook-id'], 'evt-1');
  assert.equal(headers['idempotency-key'], 'evt-1');
  assert.equal(headers['content-type'], 'application/json');
  assert.match(headers['user-agent'], /^sluice\//);
  assert.deepEqual(
    ['subsystem', 'event-type', 'event-source', 'event-account', 'event-livemode', 'event-object', 'event-occurred-at'].map((name) => headers[`sluice-${name}`]),
    ['orders', 'orders.made', 'shop', 'acct_%C3%BC%25', 'true', 'order_1', '1700000123']);
  assert.equal(headers['sluice-attempt'], '1');
  assert.ok(Math.abs(Number(headers['sluice-event-received-at']) / 1000 - Date.now()) < 60000);
});

test('an id that cannot be signed travels as its hash; the id itself stands beside it', async () => {
  await order('sha256:ab/c d');
  await done('sha256:ab/c d');
  const [request] = requestsOf('sha256:ab/c d');
  assert.match(request.headers['webhook-id'], /^sha256-[0-9a-f]{64}$/);
  new Webhook(newSecret).verify(request.body, request.headers);
});

test('what is in the inbox is not POSTed again, nor is the same event twice at once', async () => {
  await Promise.all(Array.from({ length: 10 }, () => order('twice')));
  await done('twice');
  await order('twice');
  await order('after-twice');
  await done('after-twice');
  assert.equal(requestsOf('twice').length, 1);
});

// What each of these events is answered by its first try, all at once: the others show that the target is well.
const passing = [408, 409, 423, 425, 429, 500, 502, 503, 504, null];
const final = [400, 404, 410, 422, 301];

test('each status has its own consequence', { concurrency: true }, async (t) => {
  const replies = new Map([...passing, ...final].map((status) => [`status-${status}`, status]));
  answer = (one) => {
    const status = replies.get(one.headers['sluice-event-id']);
    if (status === undefined || (one.headers['sluice-attempt'] === '2' && passing.includes(status))) return {};
    return status === null ? null : { status, headers: { location: '/elsewhere' } };
  };
  for (let n = 0; n < 60; n += 1) await order(`neighbour-${n}`);
  const again = passing.map((status) => t.test(`${status ?? 'no answer at all'} is tried again later`, async () => {
    const id = `status-${status}`;
    await order(id);
    await done(id);
    const requests = requestsOf(id);
    assert.equal(requests.at(-1).headers['sluice-attempt'], '2');
    assert.equal(new Set(requests.map((one) => one.headers['idempotency-key'])).size, 1);
  }));
  const never = final.map((status) => t.test(`${status} never passes`, async () => {
    await order(`status-${status}`);
    const [errorClass, code, attempts] = await letterOf(`status-${status}`);
    assert.deepEqual([errorClass, code, attempts], ['permanent', `http.${status}`, '1']);
  }));
  await Promise.all([...again, ...never]);
  answer = () => ({});
});

test('Retry-After is honoured', async () => {
  answer = (one) => (one.headers['sluice-attempt'] === '1' ? { status: 429, headers: { 'retry-after': '3' } } : {});
  await order('patient');
  await done('patient');
  const line = lines('consumer.delayed').find((one) => one.event_id === 'patient');
  assert.ok(line.wait_s >= 3, JSON.stringify(line));
  answer = () => ({});
});

test('the reply and the section say more than the status', async () => {
  const replies = { 'r-done': [409, { code: 'known' }], 'r-stock': [400, { code: 'no_stock', message: 'three left' }],
    'r-sku': [503, { code: 'bad_sku', retry: true, message: 'no such thing' }], 'r-no': [500, { retry: false }] };
  answer = (one) => {
    const [status, reply] = replies[one.headers['sluice-event-id']] ?? [];
    return status === undefined || one.headers['sluice-attempt'] === '2' ? {} : { status, body: JSON.stringify(reply) };
  };
  for (const id of Object.keys(replies)) await order(id);
  await done('r-done');
  await done('r-stock');
  const sku = await letterOf('r-sku');
  assert.deepEqual(sku.slice(0, 3), ['permanent', 'bad_sku', '1']);
  assert.match(sku[4], /503 bad_sku.*no such thing/);
  assert.doesNotMatch(sku[4], /token/);
  assert.deepEqual((await letterOf('r-no')).slice(0, 3), ['permanent', 'http.500', '1']);
  answer = () => ({});
});

test('at most `batch` requests run side by side', async () => {
  let running = 0;
  let most = 0;
  let published;
  answer = async () => {
    await published; // what is behind the first waits by then, so that there is a full batch
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 20));
    running -= 1;
    return {};
  };
  published = Promise.all(Array.from({ length: 60 }, (_, n) => producer.publish({ id: `slow-${n}`, type: 'slow.made' })));
  await published;
  await until('all are done', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE subsystem = 'slow'")) === '60');
  assert.ok(most > 1 && most <= 8, `${most}`);
  answer = () => ({});
});

test('a target that fails for everyone costs no dead letter; it is asked with one event at a time, and then all goes on', async () => {
  let isAway = true;
  answer = () => (isAway ? { status: 503 } : {});
  for (let n = 0; n < 40; n += 1) await producer.publish({ id: `away-${n}`, type: 'away.made' });
  await until('it is held', () => lines('consumer.held').some((one) => one.subsystem === 'away'));
  await until('it is asked again', () => lines('consumer.held').filter((one) => one.subsystem === 'away').length >= 4);
  isAway = false;
  await until('all are done', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE subsystem = 'away'")) === '40', 60000);
  assert.equal(await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE subsystem = 'away'"), '0');
  // Four may have cost their events an attempt, before the fifth showed that it is the target.
  const again = seen.filter((one) => one.headers['sluice-subsystem'] === 'away' && one.headers['sluice-attempt'] !== '1');
  assert.ok(new Set(again.map((one) => one.headers['sluice-event-id'])).size <= 4);
  assert.ok(again.every((one) => one.headers['sluice-attempt'] === '2'));
  answer = () => ({});
});

test('a target that nobody can reach costs no attempt at all', async () => {
  for (let n = 0; n < 3; n += 1) await producer.publish({ id: `gone-${n}`, type: 'gone.made' });
  const line = await until('it is held', () => lines('consumer.held').find((one) => one.subsystem === 'gone'));
  assert.equal(line.error_code, 'target.systemic');
  await until('it is tried again', () => lines('consumer.held').filter((one) => one.subsystem === 'gone').length >= 3);
  await new Promise((resolve) => gone.listen(gonePort, '127.0.0.1', resolve));
  await until('all are done', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE subsystem = 'gone'")) === '3', 60000);
  assert.ok(seen.filter((one) => one.headers['sluice-subsystem'] === 'gone').every((one) => one.headers['sluice-attempt'] === '1'));
  assert.equal(await stack.value("SELECT count(*) FROM sluice_attempt WHERE subsystem = 'gone'"), '0');
});

test('401 calls a person and costs nothing; when the key is right again all goes on', async () => {
  let isLocked = true;
  answer = () => (isLocked ? { status: 401 } : {});
  for (let n = 0; n < 20; n += 1) await producer.publish({ id: `locked-${n}`, type: 'locked.made' });
  const line = await until('a person is called', () => lines('consumer.halted').find((one) => one.subsystem === 'locked'));
  assert.match(line.error, /401/);
  assert.equal(line.runbook, 'targets.md');
  isLocked = false;
  await until('all are done', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE subsystem = 'locked'")) === '20', 60000);
  assert.equal(await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE subsystem = 'locked'"), '0');
  answer = () => ({});
});

test('a target that does not answer in time has failed; after the last attempt the event is a dead letter', async () => {
  answer = (one) => (one.headers['sluice-event-id'] === 'hangs' ? new Promise(() => {}) : {});
  await producer.publish({ id: 'hangs', type: 'late.made' });
  const [errorClass, code, attempts, reason] = await letterOf('hangs');
  assert.deepEqual([errorClass, code, attempts, reason], ['item', 'deadline.missed', '3', 'exhausted']);
  answer = () => ({});
});

test('a consumer that is told to stop while a request runs waits for its answer and commits it', async () => {
  let release;
  answer = (one) => (one.headers['sluice-event-id'] === 'stopping' ? new Promise((resolve) => { release = () => resolve({}); }) : {});
  await order('stopping');
  await until('it is on its way', () => release);
  stack.consumer.kill('SIGTERM');
  await until('it drains', () => lines('drain.begin').length > 0);
  release();
  assert.equal((await stack.consumer.ended).code, 0);
  assert.ok(await isDone('stopping'));
  answer = () => ({});
  await stack.startConsumer();
  await order('started-again');
  await done('started-again');
  assert.equal(requestsOf('stopping').length, 1);
});

test('nothing is left in a queue', async () => {
  await until('queues are empty', async () => {
    const queues = await stack.api('GET', `/api/queues/${stack.name}`);
    return queues.length > 0 && queues.every((queue) => (queue.messages ?? 0) === 0);
  }, 60000);
});
