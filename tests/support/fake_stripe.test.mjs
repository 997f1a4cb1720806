// fake_stripe.test - the official package finds in our fake what it finds at Stripe.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRequire } from 'node:module';
import { FakeStripe } from './fake_stripe.mjs';

const Stripe = createRequire(new URL('../integration/package.json', import.meta.url))('stripe');
let fake;
let stripe;

before(async () => {
  fake = await FakeStripe.start();
  stripe = new Stripe(fake.key, { host: '127.0.0.1', port: fake.port, protocol: 'http', maxNetworkRetries: 0 });
  fake.addEvents(Array.from({ length: 250 }, (_, n) => ({ id: `evt_${n}`, object: 'event', type: n % 5 ? 'customer.updated' : 'invoice.paid', created: 1000 + Math.floor(n / 40), delivered: n % 50 !== 0, data: { object: { id: `cus_${n}`, object: 'customer' } } })));
  fake.put('customers', { id: 'cus_1', object: 'customer', email: 'a@example.com', metadata: {} });
});
after(() => fake.stop());

test('events come newest first, page by page, each once, also across one second', async () => {
  const ids = [];
  for await (const event of stripe.events.list({ limit: 33 })) ids.push(event.id);
  assert.deepEqual(ids, Array.from({ length: 250 }, (_, n) => `evt_${249 - n}`));
});

test('ending_before walks forward from an event', async () => {
  const page = await stripe.events.list({ limit: 10, ending_before: 'evt_100' });
  assert.deepEqual(page.data.map((event) => event.id), Array.from({ length: 10 }, (_, n) => `evt_${110 - n}`));
  assert.equal(page.has_more, true);
});

test('times, types and failed deliveries narrow a list', async () => {
  assert.equal((await stripe.events.list({ created: { gte: 1002, lt: 1003 }, limit: 100 })).data.length, 40);
  assert.ok((await stripe.events.list({ types: ['invoice.paid'], limit: 100 })).data.every((event) => event.type === 'invoice.paid'));
  assert.equal((await stripe.events.list({ delivery_success: false, limit: 100 })).data.length, 5);
});

test('errors are those of Stripe', async () => {
  await assert.rejects(stripe.customers.retrieve('cus_none'), { type: 'StripeInvalidRequestError', code: 'resource_missing', statusCode: 404 });
  const stranger = new Stripe('sk_test_wrong', { host: '127.0.0.1', port: fake.port, protocol: 'http', maxNetworkRetries: 0 });
  await assert.rejects(stranger.events.list(), { type: 'StripeAuthenticationError' });
  fake.fail({ path: '/v1/customers', status: 429 });
  await assert.rejects(stripe.customers.retrieve('cus_1'), { type: 'StripeRateLimitError' });
});

test('a POST with one idempotency key happens once', async () => {
  const first = await stripe.customers.create({ email: 'b@example.com' }, { idempotencyKey: 'k1' });
  const again = await stripe.customers.create({ email: 'b@example.com' }, { idempotencyKey: 'k1' });
  assert.equal(again.id, first.id);
  assert.equal((await stripe.customers.list()).data.length, 2);
});

test('connected accounts have worlds of their own', async () => {
  await assert.rejects(stripe.customers.retrieve('cus_1', { stripeAccount: 'acct_1' }), { statusCode: 404 });
  assert.equal((await stripe.events.list({}, { stripeAccount: 'acct_1' })).data.length, 0);
});
