// billing_write - what our callers change goes to Stripe first, reaches the tables as an event, and is answered with Stripe's own object, as openapi.yaml describes it.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { FakeStripe } from '../support/fake_stripe.mjs';
import { compile, openapi } from './lib/schemas.mjs';
import { Stack, until } from './lib/stack.mjs';

const Stripe = createRequire(import.meta.url)('stripe');
const tokens = { raptor: 'a-token-of-raptor-0123456789abcdef-1', cron: 'a-token-of-cron-0123456789abcdef-0001' };
const READS = 'rk_test_reads_only_0123456789';
const base = '/api/v1/billing';
let fake;
let stack;
let stripe;
const operations = new Set();

before(async () => {
  fake = await FakeStripe.start();
  fake.readOnlyKeys.add(READS);
  stripe = new Stripe(fake.key, { host: '127.0.0.1', port: fake.port, protocol: 'http', maxNetworkRetries: 0 });
  stack = await Stack.start('billing_write', {
    publisher: { QUEUE_SERVICE_TOKEN_RAPTOR: tokens.raptor, QUEUE_SERVICE_TOKEN_CRON: tokens.cron, STRIPE_API_KEY: fake.key, STRIPE_RESTRICTED_KEY: READS, STRIPE_API_BASE: fake.url, SLUICE_STRIPE_TIMEOUT: '8s', SLUICE_DEGRADED_AFTER: '500ms' },
  });
});
after(async () => {
  await stack?.stop();
  await fake?.stop();
});

async function send(method, path, { body, key, token = tokens.raptor, raw, url = stack.url } = {}) {
  const answer = await fetch(`${url}${base}/${path}`, {
    method,
    headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(key ? { 'idempotency-key': key } : {}), 'content-type': 'application/json' },
    body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
  });
  const text = await answer.text();
  const result = { status: answer.status, headers: answer.headers, text, json: text ? JSON.parse(text) : undefined };
  conforms(method, path, result);
  return result;
}

// Every answer is one that the description has for this operation.
function conforms(method, path, answer) {
  const [kind, id, verb] = path.split('?')[0].split('/');
  const route = `${base}/${[kind, id && '{id}', verb].filter(Boolean).join('/')}`;
  const operation = openapi.paths[route]?.[method.toLowerCase()];
  if (!operation) return assert.ok([404, 405].includes(answer.status), `${method} ${route} is not described`);
  operations.add(operation.operationId);
  let at = ['paths', route, method.toLowerCase(), 'responses', String(answer.status)];
  const described = operation.responses[answer.status];
  assert.ok(described, `${method} ${route}: ${answer.status} is not described: ${answer.text}`);
  if (described.$ref) at = described.$ref.slice(2).split('/');
  const pointer = `#/${[...at, 'content', answer.headers.get('content-type'), 'schema'].map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`;
  const check = compile(openapi, pointer);
  assert.ok(check(answer.json), `${answer.text}: ${JSON.stringify(check.errors)}`);
}

const row = (table, id, columns) => stack.query(`SELECT ${columns} FROM billing_${table} WHERE id = '${id}'`).then((rows) => rows[0]);
const arrives = (table, id, columns, want) => until(`${table} ${id}: ${want}`, async () => JSON.stringify(await row(table, id, columns)) === JSON.stringify(want));
const lastAsked = () => fake.requests.at(-1);

test('a customer is created at Stripe, answered as Stripe says, and applied', async () => {
  const answer = await send('POST', 'customers', { body: { email: 'ann@example.com', name: 'Ann & Söhne', metadata: { plan: 'a[1]=b&c', empty: null } }, key: 'create-1' });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json, await stripe.customers.retrieve(answer.json.id).then(({ lastResponse, ...rest }) => rest));
  const asked = fake.requests.find((one) => one.method === 'POST');
  assert.deepEqual([asked.idempotencyKey, asked.version, asked.body], ['create-1', '2025-08-27.basil', { email: 'ann@example.com', name: 'Ann & Söhne', metadata: { plan: 'a[1]=b&c', empty: '' } }]);
  await arrives('customer', answer.json.id, 'email, name, livemode', ['ann@example.com', 'Ann & Söhne', 'f']);
});

test('the same request with the same key is done once, and heard the same', async () => {
  const before_ = fake.requests.length;
  const first = await send('POST', 'customers', { body: { email: 'bea@example.com' }, key: 'create-2' });
  await stripe.customers.update(first.json.id, { email: 'later@example.com' });
  const again = await send('POST', 'customers', { body: { email: 'bea@example.com' }, key: 'create-2' });
  assert.deepEqual([again.status, again.json], [200, first.json]);
  assert.equal(fake.requests.slice(before_).filter((one) => one.method === 'POST' && one.path === '/v1/customers').length, 2);
  // What Stripe repeats is old: the table gets what is so now.
  await arrives('customer', first.json.id, 'email', ['later@example.com']);
});

test('a change and a removal of a value reach the table, also in the second of the creation', async () => {
  const { json: { id } } = await send('POST', 'customers', { body: { email: 'c@example.com', phone: '1' } });
  const answer = await send('PATCH', `customers/${id}`, { body: { email: 'd@example.com', phone: null } });
  assert.deepEqual([answer.status, answer.json.email, answer.json.phone], [200, 'd@example.com', null]);
  assert.match(lastAsked().idempotencyKey, /^[0-9a-f]{32}$/);
  await arrives('customer', id, 'email, phone is null', ['d@example.com', 't']);
});

const subscription = (id, more = {}) => ({ id, object: 'subscription', created: Math.floor(Date.now() / 1000) - 500, livemode: false, customer: 'cus_1', status: 'active', cancel_at_period_end: false, currency: 'usd', metadata: {}, items: { object: 'list', has_more: false, data: [{ id: `si_${id}`, object: 'subscription_item', quantity: 2, created: 1, metadata: {}, price: { id: 'price_1', object: 'price', product: 'prod_1', unit_amount: 500, currency: 'usd' } }] }, ...more });

test('a subscription is canceled at once or at the end of its period; canceling twice ends the same', async () => {
  fake.put('subscriptions', subscription('sub_1'));
  fake.put('subscriptions', subscription('sub_2'));
  const later = await send('POST', 'subscriptions/sub_1/cancel', { body: { at_period_end: true } });
  assert.deepEqual([later.status, later.json.status, later.json.cancel_at_period_end], [200, 'active', true]);
  await arrives('subscription', 'sub_1', 'status, cancel_at_period_end', ['active', 't']);
  const now = await send('POST', 'subscriptions/sub_2/cancel', { body: { prorate: true, cancellation_details: { comment: 'too dear' } } });
  assert.deepEqual([now.status, now.json.status, lastAsked().method, lastAsked().query], [200, 'canceled', 'DELETE', { prorate: 'true', cancellation_details: { comment: 'too dear' } }]);
  await arrives('subscription', 'sub_2', 'status, deleted_at IS NOT NULL', ['canceled', 't']);
  const twice = await send('POST', 'subscriptions/sub_2/cancel');
  assert.deepEqual([twice.status, twice.json.status], [200, 'canceled']);
  assert.equal((await send('POST', 'subscriptions/sub_none/cancel')).status, 404);
});

test('a sync brings what Stripe has into the table, children too', async () => {
  fake.put('subscriptions', subscription('sub_3'));
  fake.put('invoices', { id: 'in_1', object: 'invoice', created: 1700000000, livemode: false, customer: 'cus_1', status: 'paid', currency: 'usd', amount_due: 500, amount_paid: 500, lines: { object: 'list', has_more: false, data: [{ id: 'il_1', object: 'line_item', amount: 500, currency: 'usd', period: { start: 1, end: 2 } }] } });
  fake.put('customers', { id: 'cus_conn', object: 'customer', created: 1700000000, livemode: false, email: 'conn@example.com', metadata: {} }, 'acct_9');
  assert.equal((await send('POST', 'subscriptions/sub_3/sync')).status, 200);
  assert.deepEqual([lastAsked().method, lastAsked().key], ['GET', READS], 'what only reads takes the restricted key');
  assert.equal((await send('POST', 'invoices/in_1/sync')).status, 200);
  assert.equal((await send('POST', 'customers/cus_conn/sync?account=acct_9')).status, 200);
  await arrives('subscription_item', 'si_sub_3', 'subscription, quantity', ['sub_3', '2']);
  await arrives('invoice_line', 'il_1', 'invoice, amount', ['in_1', '500']);
  await arrives('customer', 'cus_conn', 'account, email', ['acct_9', 'conn@example.com']);
});

test("Stripe's refusals pass through in its own words", async () => {
  const bad = await send('POST', 'customers', { body: { email: 'nobody' } });
  assert.deepEqual([bad.status, bad.json.code, bad.json.param, bad.json.detail], [400, 'email_invalid', 'email', 'Invalid email address: nobody']);
  assert.match(bad.json.request_id, /^req_/);
  const none = await send('POST', 'customers/cus_none/sync');
  assert.deepEqual([none.status, none.json.code], [404, 'resource_missing']);
  fake.fail({ path: '/v1/customers', status: 402, body: { error: { type: 'card_error', code: 'card_declined', decline_code: 'lost_card', message: 'Your card was declined.' } } });
  const declined = await send('POST', 'customers', { body: { source: 'tok_1' } });
  assert.deepEqual([declined.status, declined.json.code, declined.json.decline_code], [402, 'card_declined', 'lost_card']);
  fake.fail({ path: '/v1/customers', status: 429, retryAfter: 90, body: { error: { type: 'rate_limit_error', code: 'rate_limit', message: 'Too many requests.' } } });
  const busy = await send('POST', 'customers', { body: {} });
  assert.deepEqual([busy.status, busy.headers.get('retry-after'), busy.json.code], [429, '90', 'rate_limit']);
  fake.fail({ path: '/v1/customers', status: 409, retryAfter: 90, body: { error: { type: 'invalid_request_error', code: 'lock_timeout', message: 'Try again.' } } });
  assert.deepEqual([(await send('POST', 'customers', { body: {} })).status], [409]);
  fake.fail({ path: '/v1/customers', status: 500, times: 9 });
  const broken = await send('POST', 'customers', { body: {} });
  assert.equal(broken.status, 502);
  fake.faults.length = 0;
  fake.fail({ path: '/v1/customers', status: 401, body: { error: { type: 'invalid_request_error', message: 'Invalid API Key provided: sk_secret' } } });
  const key = await send('POST', 'customers', { body: {} });
  assert.deepEqual([key.status, key.text.includes('sk_secret')], [502, false]);
  assert.match(key.json.detail, /STRIPE_API_KEY/);
});

test('what fails for a moment is tried again with the same key, and happens once', async () => {
  const count = fake.objects.size;
  const from = fake.requests.length;
  fake.fail({ path: '/v1/customers', status: 500 });
  fake.fail({ path: '/v1/customers', status: 409 });
  fake.fail({ path: '/v1/customers', status: 0 });
  const answer = await send('POST', 'customers', { body: { email: 'again@example.com' } });
  assert.equal(answer.status, 200);
  const asked = fake.requests.slice(from).filter((one) => one.method === 'POST');
  assert.deepEqual([asked.length, new Set(asked.map((one) => one.idempotencyKey)).size, fake.objects.size], [4, 1, count + 1]);
});

test('Stripe that does not answer is 504, without waiting for it', async () => {
  fake.fail({ path: '/v1/customers/cus_slow', status: 200, delayMs: 3600000, times: 9 });
  assert.equal((await send('POST', 'customers/cus_slow/sync')).status, 504);
  fake.faults.length = 0;
});

test('who may not, and what is not understood, is refused before Stripe hears of it', async () => {
  const from = fake.requests.length;
  const cases = [
    ['POST', 'customers', { token: tokens.cron, body: {} }, 403, /may not change/],
    ['POST', 'customers/cus_1/sync', { token: tokens.cron }, 403, /may not change/],
    ['POST', 'customers', { token: null, body: {} }, 401, /bearer token/],
    ['POST', 'customers', { raw: '[1]' }, 400, /JSON object/],
    ['POST', 'customers', { raw: '{"a[b]":1}' }, 400, /brackets/],
    ['POST', 'customers', { body: { a: { b: { c: { d: { e: { f: { g: 1 } } } } } } } }, 400, /too deep/],
    ['POST', 'customers', { raw: `{"a":"${'x'.repeat(70000)}"}` }, 413, /at most/],
    ['POST', 'customers', { body: {}, key: 'two words' }, 400, /Idempotency-Key/],
    ['PATCH', 'customers/cus_1', {}, 400, /nothing/],
    ['PATCH', 'customers/..%2Fcharges', { body: { a: 1 } }, 404, /no id/],
    ['POST', 'customers?livemode=true', { body: {} }, 400, /only account/],
    ['POST', 'customers/cus_1/sync', { body: { a: 1 } }, 400, /no parameters/],
    ['POST', 'customers/cus_1/cancel', {}, 404, /synced/],
    ['PATCH', 'invoices/in_1', { body: {} }, 405, /read/],
    ['POST', 'customers/cus_1', { body: {} }, 405, /PATCH/],
    ['GET', 'customers/cus_1/sync', {}, 405, /POST/],
  ];
  for (const [method, path, options, status, detail] of cases) {
    const answer = await send(method, path, options);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    assert.match(answer.json.detail, detail);
  }
  assert.equal(fake.requests.length, from);
});

test('a late observation never undoes what happened after it', async () => {
  const { json: { id } } = await send('POST', 'customers', { body: { email: 'one@example.com' } });
  await arrives('customer', id, 'email', ['one@example.com']);
  const created = Math.floor(Date.now() / 1000) + 5;
  const body = JSON.stringify({ id: `evt_${id}`, object: 'event', type: 'customer.updated', created, livemode: false, data: { object: { id, object: 'customer', created: 1, livemode: false, email: 'newer@example.com', metadata: {} }, previous_attributes: { email: 'one@example.com' } } });
  const sent = await fetch(`${stack.url}/webhooks/stripe`, { method: 'POST', body, headers: { 'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: body, secret: stack.secret }) } });
  assert.equal(sent.status, 200);
  await arrives('customer', id, 'email', ['newer@example.com']);
  assert.equal((await send('POST', `customers/${id}/sync`)).status, 200);
  await until('the observation is on record', async () => (await stack.value(`SELECT verdict FROM sluice_inbox WHERE object = '${id}' AND type LIKE 'sluice.%' AND verdict = 'stale'`)) === 'stale');
  assert.deepEqual(await row('customer', id, 'email'), ['newer@example.com']);
});

test('every operation that changes something was asked', () => {
  const described = Object.entries(openapi.paths).filter(([path]) => path.startsWith(`${base}/`) && !path.endsWith('/webhook'))
    .flatMap(([, item]) => ['post', 'patch', 'delete', 'put'].map((method) => item[method]?.operationId)).filter(Boolean);
  assert.ok(described.length === 6, described.join());
  assert.deepEqual(described.filter((one) => !operations.has(one)), []);
});

test('with the broker away Stripe has done it all the same: 202, and the tables follow from the journal', async () => {
  const other = await Stack.start('billing_write_away', {
    publisher: { QUEUE_SERVICE_TOKEN_RAPTOR: tokens.raptor, STRIPE_API_KEY: fake.key, STRIPE_API_BASE: fake.url, AMQP_URL: 'amqp://guest:guest@127.0.0.1:1', SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' },
  });
  try {
    const answer = await send('POST', 'customers', { body: { email: 'away@example.com' }, url: other.url });
    assert.deepEqual([answer.status, answer.json.email], [202, 'away@example.com']);
    assert.equal((await stripe.customers.retrieve(answer.json.id)).email, 'away@example.com');
    await other.said(other.publisher, 'publish.journaled', 1);
    await other.terminate(other.publisher);
    delete other.publisherEnvironment.AMQP_URL;
    await other.startPublisher();
    await until('it is applied', async () => (await other.value(`SELECT email FROM billing_customer WHERE id = '${answer.json.id}'`)) === 'away@example.com');
  } finally {
    await other.stop();
  }
});

test('without a key the routes answer 503, and are named; with one that may only read, a sync does what it says', async () => {
  for (const keys of [{}, { STRIPE_RESTRICTED_KEY: READS, STRIPE_API_BASE: fake.url }]) {
    const other = await Stack.start('billing_write_none', { publisher: { QUEUE_SERVICE_TOKEN_RAPTOR: tokens.raptor, ...keys }, withConsumer: false });
    try {
      const answer = await send('POST', 'customers', { body: {}, url: other.url });
      assert.equal(answer.status, 503);
      assert.match(answer.json.detail, /STRIPE_API_KEY/);
      assert.equal((await send('POST', 'subscriptions/sub_3/sync', { url: other.url })).status, keys.STRIPE_RESTRICTED_KEY ? 200 : 503);
    } finally {
      await other.stop();
    }
  }
});

test('keys of two modes are a mistake at the start, said with their names', async () => {
  const other = await Stack.start('billing_write_modes', { withPublisher: false, withConsumer: false });
  try {
    other.publisherEnvironment = { ...other.publisherEnvironment, STRIPE_API_KEY: 'sk_live_0123456789', STRIPE_RESTRICTED_KEY: READS };
    other.spawnPublisher();
    const { publisher } = other;
    other.publisher = undefined; // it is to end by itself
    assert.equal((await publisher.ended).code, 78);
    assert.match(other.logOf(publisher), /STRIPE_RESTRICTED_KEY: is of another mode, live or test, than STRIPE_API_KEY/);
  } finally {
    await other.stop();
  }
});
