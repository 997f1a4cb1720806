// doctor_stripe - `sluice doctor stripe` against a Stripe that keeps its rules: the endpoint that leads here, what is wrong with it, the key's mode, and the
// permission that a restricted key lacks.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { test, before, after, beforeEach } from 'node:test';
import { FakeStripe } from '../support/fake_stripe.mjs';

let stripe;
const here = 'https://hooks.example.com';
const key = (mode, kind = 'rk') => `${kind}_${mode}_${randomBytes(12).toString('hex')}`;

before(async () => { stripe = await FakeStripe.start(); });
after(async () => { await stripe?.stop(); });
beforeEach(() => stripe.objects.clear());

// {status, stdout, stderr, rows}
function doctor(environment = {}, ...args) {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', STRIPE_API_BASE: stripe.url, STRIPE_API_KEY: stripe.key, SLUICE_PUBLIC_URL: here, ...environment };
  return new Promise((resolve, reject) => {
    execFile(path.join(process.env.SLUICE_BIN, 'sluice'), ['doctor', 'stripe', '-o', 'json', ...args], { env, timeout: 300000 }, (error, stdout, stderr) => {
      const keys = [env.STRIPE_API_KEY, env.STRIPE_RESTRICTED_KEY].filter(Boolean);
      if (keys.some((one) => `${stdout}${stderr}`.includes(one))) return reject(new Error('a key is printed'));
      return resolve({ status: error?.code ?? 0, stdout, stderr, rows: stdout.startsWith('[') ? JSON.parse(stdout) : null });
    });
  });
}
const put = (more) => stripe.put('webhook_endpoints', { id: 'we_1', object: 'webhook_endpoint', url: `${here}/webhooks/stripe`, status: 'enabled', livemode: false, enabled_events: ['*'], ...more });

test('an endpoint leads here, is enabled and sends everything', async () => {
  put({});
  put({ id: 'we_2', url: 'https://elsewhere.example.com/webhooks/stripe' });
  const { status, rows, stderr } = await doctor();
  assert.equal(status, 0, stderr);
  assert.deepEqual(rows.map((row) => [row.endpoint, row.leads_here]).sort(), [['we_1', 'yes'], ['we_2', 'no']]);
  assert.equal(stderr, 'asked with a test key: endpoints of live mode are not seen\n');
});

test('none leads here', async () => {
  put({ url: `${here}/elsewhere` });
  const { status, stderr } = await doctor();
  assert.equal(status, 1);
  assert.match(stderr, /no endpoint leads to https:\/\/hooks\.example\.com: add https:\/\/hooks\.example\.com\/webhooks\/stripe in Stripe's dashboard/);
});

test('it is disabled, or does not send what billing applies', async () => {
  put({ status: 'disabled' });
  const disabled = await doctor();
  assert.equal(disabled.status, 1);
  assert.match(disabled.stderr, /we_1 is disabled.*sluice reconcile stripe/);
  put({ enabled_events: ['invoice.paid'] });
  const partial = await doctor();
  assert.equal(partial.status, 1);
  assert.match(partial.stderr, /we_1 does not send \d+ of the \d+ event types that billing applies: customer\.created.*add them/);
});

test('a test key in production, and a live key in staging', async () => {
  put({});
  const test_ = await doctor({ SENTRY_ENVIRONMENT: 'production' });
  assert.equal(test_.status, 1);
  assert.match(test_.stderr, /a test key in production: .*set STRIPE_RESTRICTED_KEY or STRIPE_API_KEY to a live key/);
  const live = key('live');
  stripe.restrict(live, ['webhook_endpoints']);
  assert.equal((await doctor({ STRIPE_RESTRICTED_KEY: live, SENTRY_ENVIRONMENT: 'production' })).status, 0);
  const there = await doctor({ STRIPE_RESTRICTED_KEY: live, SENTRY_ENVIRONMENT: 'staging' });
  assert.equal(there.status, 1);
  assert.match(there.stderr, /asked with a live key: endpoints of test mode are not seen\na live key in staging: /);
});

test('a restricted key that may not look: the permission it lacks is named', async () => {
  const narrow = key('test');
  stripe.restrict(narrow, ['events']);
  const { status, stderr, rows } = await doctor({ STRIPE_RESTRICTED_KEY: narrow });
  assert.ok(status > 1 && rows === null, `${status}`);
  assert.match(stderr, /Stripe answers 403 to \/v1\/webhook_endpoints: the key lacks the permission rak_webhook_read; give it to the restricted key in Stripe's dashboard/);
});

test('a key that is none, no key, and no address', async () => {
  const wrong = await doctor({ STRIPE_API_KEY: key('test', 'sk') });
  assert.ok(wrong.status > 1);
  assert.match(wrong.stderr, /401.*check the key, and that it is of the right mode/);
  const none = await doctor({ STRIPE_API_KEY: '' });
  assert.equal(none.status, 78);
  assert.match(none.stderr, /set STRIPE_RESTRICTED_KEY/);
  assert.match((await doctor({ SLUICE_PUBLIC_URL: '' })).stderr, /where do webhooks come in\? Set SLUICE_PUBLIC_URL/);
  assert.match((await doctor({ SLUICE_PUBLIC_URL: 'http://hooks.example.com' })).stderr, /begins with https:\/\//);
});
