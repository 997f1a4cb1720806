// sources - senders other than Stripe, described by a file: what each signs is let in, what it is about comes from what is signed, and nothing else.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { sign as githubSign } from '@octokit/webhooks-methods';
import { Sender, signature } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { Tap } from './lib/tap.mjs';

const secrets = {
  github: [`gh-new-${randomBytes(12).toString('hex')}`, `gh-old-${randomBytes(12).toString('hex')}`],
  shopify: [`shpss_${randomBytes(16).toString('hex')}`],
  clerk: [`whsec_${randomBytes(24).toString('base64')}`],
  partner: [randomBytes(20).toString('hex')],
};
const file = `# senders of this test
[github]
secret = GH_SECRET

[shopify]

[clerk]
scheme = standard-webhooks
account = data.tenant
object = data.id

[partner-a]
scheme = hmac
header = X-Partner-Signature
timestamp_header = X-Partner-Time
signed = v0:{timestamp}:{body}
prefix = v0=
tolerance = 60s
id = meta.id
type = meta.kind
type_default = partner.event
occurred_at = meta.at
livemode = meta.live

[off]
scheme = github
enabled = false
`;
const environment = () => ({
  SHOPIFY_WEBHOOK_SECRET: secrets.shopify.join(','),
  CLERK_WEBHOOK_SECRET: secrets.clerk.join(','),
  PARTNER_A_WEBHOOK_SECRET: secrets.partner.join(','),
});

let stack;
let tap;
const senders = {};
const accepted = []; // ids answered 2xx: the ledger
const now = () => Math.floor(Date.now() / 1000);

before(async () => {
  stack = await Stack.start('sources', { withPublisher: false });
  const sourcesFile = path.join(stack.dir, 'sources.conf');
  stack.githubSecretFile = path.join(stack.dir, 'github.secret');
  writeFileSync(sourcesFile, file);
  writeFileSync(stack.githubSecretFile, `${secrets.github.join(',')}\n`);
  Object.assign(stack.publisherEnvironment, environment(), { SLUICE_SOURCES: sourcesFile, GH_SECRET_FILE: stack.githubSecretFile });
  await stack.startPublisher();
  tap = await Tap.open(stack);
  for (const name of ['stripe', 'github', 'shopify', 'clerk', 'partner-a', 'off', 'nobody', 'internal']) {
    senders[name] = new Sender(stack, { path: `/webhooks/${name}`, connections: 4 });
  }
});
after(async () => {
  for (const sender of Object.values(senders)) sender.close();
  await tap?.close();
  await stack?.stop();
});

async function take(source, body, headers) {
  const answer = await senders[source].post(body, headers);
  if (answer.status === 200) accepted.push(JSON.parse(answer.body).id);
  return answer;
}
async function published(id) {
  await until(`${id} is published`, () => tap.byId(id).length > 0);
  return tap.byId(id)[0];
}
const sha = (body) => `sha256:${createHash('sha256').update(body).digest('hex')}`;
const github = async (body, secret = secrets.github[0]) => ({ 'x-hub-signature-256': await githubSign(secret, body) });
const shopify = (body) => ({ 'x-shopify-hmac-sha256': createHmac('sha256', secrets.shopify[0]).update(body).digest('base64') });
const clerk = (body, id, at = now()) => ({
  'webhook-id': id, 'webhook-timestamp': String(at), 'webhook-signature': new Webhook(secrets.clerk[0]).sign(id, new Date(at * 1000), body),
});
const partner = (body, { at = String(now()), secret = secrets.partner[0] } = {}) => ({
  'x-partner-time': at, 'x-partner-signature': `v0=${createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex')}`,
});

test('standard webhooks: the id is the signed one, the facts are in the body', async () => {
  const body = JSON.stringify({ type: 'user.created', timestamp: '2026-01-02T03:04:05.678Z', data: { id: 'user_1', tenant: 'org_7' } });
  const answer = await take('clerk', body, clerk(body, 'msg_clerk_1'));
  assert.equal(answer.status, 200, answer.body);
  assert.deepEqual(JSON.parse(answer.body), { received: true, id: 'msg_clerk_1' });
  const { key, envelope, body: kept } = await published('msg_clerk_1');
  assert.equal(key, 'clerk.user.created');
  assert.equal(kept.toString(), body);
  assert.deepEqual([envelope.source, envelope.type, envelope.account, envelope.object, envelope.livemode, Number(envelope.occurred_at)],
    ['clerk', 'user.created', 'org_7', 'user_1', true, Date.UTC(2026, 0, 2, 3, 4, 5) / 1000]);
  // The same message again is the same event; with another id it is not authentic.
  assert.equal((await take('clerk', body, clerk(body, 'msg_clerk_1'))).status, 200);
  assert.equal((await take('clerk', body, { ...clerk(body, 'msg_clerk_1'), 'webhook-id': 'msg_clerk_2' })).status, 400);
});

test('E20 github: event and delivery headers are unsigned, so changing them changes nothing', async () => {
  const body = JSON.stringify({ action: 'opened', number: 7, pull_request: { id: 1 }, repository: { full_name: 'acme/shop', owner: { login: 'acme' } } });
  const headers = await github(body);
  const honest = await take('github', body, { ...headers, 'x-github-event': 'pull_request', 'x-github-delivery': 'a' });
  const forged = await take('github', body, { ...headers, 'x-github-event': 'repository', 'x-github-delivery': 'b' });
  const bare = await take('github', body, headers);
  for (const answer of [honest, forged, bare]) assert.deepEqual([answer.status, JSON.parse(answer.body).id], [200, sha(body)]);
  await until('all three are published', () => tap.byId(sha(body)).length === 3);
  for (const { key, envelope } of tap.byId(sha(body))) {
    assert.equal(key, 'github.pull_request.opened');
    assert.deepEqual([envelope.account, envelope.object], ['acme', 'acme/shop']);
  }
  assert.equal(await stack.metric('sluice_source_claims_total{source="github",outcome="differs"}'), 1);
  assert.equal(await stack.metric('sluice_source_claims_total{source="github",outcome="fits"}'), 1);
});

const githubBodies = [
  [{ zen: 'Keep it logically awesome.', hook_id: 1, hook: {} }, 'ping'],
  [{ ref: 'refs/heads/main', before: '0', after: '1', commits: [], repository: {} }, 'push'],
  [{ action: 'created', issue: {}, comment: {}, repository: {} }, 'issue_comment.created'],
  [{ action: 'closed', issue: {}, repository: {} }, 'issues.closed'],
  [{ action: 'submitted', review: {}, pull_request: {}, repository: {} }, 'pull_request_review.submitted'],
  [{ action: 'completed', workflow_run: {}, workflow: {}, repository: {} }, 'workflow_run.completed'],
  [{ action: 'published', release: {}, repository: {} }, 'release.published'],
  [{ nothing: 'known' }, 'unparsed'],
];
for (const [shape, type] of githubBodies) {
  test(`github: a body of this shape is ${type}`, async () => {
    const body = JSON.stringify({ ...shape, nonce: randomBytes(4).toString('hex') });
    assert.equal((await take('github', body, await github(body))).status, 200);
    assert.equal((await published(sha(body))).envelope.type, type);
  });
}

test('E20 shopify: topic and shop headers are unsigned; the resource is told from the body', async () => {
  const body = JSON.stringify({ id: 820982911946154508n.toString(), admin_graphql_api_id: 'gid://shopify/Order/820982911946154508', updated_at: '2026-01-02T03:04:05-05:00' });
  const one = await take('shopify', body, { ...shopify(body), 'x-shopify-topic': 'orders/create', 'x-shopify-shop-domain': 'a.example', 'x-shopify-webhook-id': '1' });
  const two = await take('shopify', body, { ...shopify(body), 'x-shopify-topic': 'products/delete', 'x-shopify-shop-domain': 'b.example', 'x-shopify-webhook-id': '2' });
  assert.deepEqual([one.status, two.status, one.body], [200, 200, two.body]);
  const { key, envelope } = await published(sha(body));
  assert.equal(key, 'shopify.order');
  assert.equal(Number(envelope.occurred_at), Date.UTC(2026, 0, 2, 8, 4, 5) / 1000);
  assert.equal(envelope.account, '');
  assert.equal(await stack.metric('sluice_source_claims_total{source="shopify",outcome="differs"}'), 1);
});

test('hmac: a sender that only its section describes', async () => {
  const body = JSON.stringify({ meta: { id: 42, kind: 'order.paid', at: 1767323045678, live: false } });
  assert.equal((await take('partner-a', body, partner(body))).status, 200);
  const { key, envelope } = await published('42');
  assert.equal(key, 'partner-a.order.paid');
  assert.deepEqual([Number(envelope.occurred_at), envelope.livemode], [1767323045, false]);
  const bare = JSON.stringify({ meta: { id: 'p_2' } });
  assert.equal((await take('partner-a', bare, partner(bare))).status, 200);
  assert.equal((await published('p_2')).envelope.type, 'partner.event');
});

const body7 = JSON.stringify({ meta: { id: 'e7', kind: 'time' } });
const times = {
  'missing': undefined, '0': '0', '-1': '-1', '2^63': '9223372036854775808', '10 minutes ahead': () => String(now() + 600), '61 s old': () => String(now() - 62),
  'a space before': () => ` ${now()}x`, 'a leading zero': () => `0${now()}`, '1e9': '1e9', 'a fraction': () => `${now()}.0`, 'milliseconds': () => `${now()}000`,
};
for (const [name, make] of Object.entries(times)) {
  test(`E7 timestamp ${name}: 400`, async () => {
    const at = typeof make === 'function' ? make() : make;
    const headers = partner(body7, { at: at ?? String(now()) });
    if (at === undefined) delete headers['x-partner-time'];
    const answer = await take('partner-a', body7, headers);
    assert.deepEqual([answer.status, answer.body], [400, '{"error":"not authentic"}']);
  });
}

test('E5 a field that counts, sent twice: 400 for every source', async () => {
  const body = JSON.stringify({ meta: { id: 'e5' }, type: 'x' });
  const good = { github: await github(body), shopify: shopify(body), clerk: clerk(body, 'msg_e5'), 'partner-a': partner(body) };
  for (const [source, headers] of Object.entries(good)) {
    for (const [name, value] of Object.entries(headers)) {
      assert.equal((await take(source, body, { ...headers, [name]: [value, value] })).status, 400, `${source} ${name}`);
    }
  }
});

test('E5 a signature of 100 kB: refused, and the door stays open', async () => {
  const body = '{"e5":"long"}';
  const answer = await take('github', body, { 'x-hub-signature-256': `sha256=${'0'.repeat(100000)}` });
  assert.ok([431, 400].includes(answer.status), `${answer.status}`);
  assert.equal((await take('github', body, await github(body))).status, 200);
});

test('E6 a changed bit, a body written again, a compressed body: refused', async () => {
  const body = '{ "action": "opened",\n "issue": {} }\n';
  const headers = await github(body);
  const flipped = Buffer.from(body);
  flipped[10] ^= 1;
  assert.equal((await take('github', flipped, headers)).status, 400);
  assert.equal((await take('github', JSON.stringify(JSON.parse(body)), headers)).status, 400);
  assert.equal((await take('github', body.trim(), headers)).status, 400);
  assert.equal((await take('github', body, { ...headers, 'content-encoding': 'gzip' })).status, 415);
});

test('one sender cannot sign for another', async () => {
  const body = JSON.stringify({ meta: { id: 'cross' } });
  const all = { github: await github(body), shopify: shopify(body), clerk: clerk(body, 'msg_cross'), 'partner-a': partner(body), stripe: { 'stripe-signature': signature(stack.secret, body) } };
  for (const source of Object.keys(all)) {
    for (const [signer, headers] of Object.entries(all)) {
      if (signer !== source) assert.equal((await take(source, body, headers)).status, 400, `${signer} at ${source}`);
    }
  }
});

test('a source that is off, unknown or our own: 404', async () => {
  for (const source of ['off', 'nobody', 'internal']) {
    assert.equal((await take(source, '{}', await github('{}'))).status, 404);
  }
});

test('E8 a captured request: inside the window once more 200 and one effect, after it 400', async () => {
  const body = JSON.stringify({ id: 'evt_replayed', object: 'event', type: 'customer.created', created: now(), livemode: false, data: { object: { id: 'cus_replayed', object: 'customer', email: 'a@example.com' } } });
  const captured = { 'stripe-signature': signature(stack.secret, body) };
  for (let i = 0; i < 5; i += 1) assert.equal((await take('stripe', body, captured)).status, 200);
  await until('it is applied', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id = 'evt_replayed'")) === '1');
  const old = { 'stripe-signature': signature(stack.secret, body, { timestamp: now() - 301 }) };
  assert.equal((await take('stripe', body, old)).status, 400);
  await until('all five copies are settled', async () => (await stack.metric('sluice_consumer_inflight', stack.consumerPort) ?? 0) === 0);
  assert.equal(await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id = 'evt_replayed'"), '1');
});

test('E19 a test event and a live one of the same object never meet', async () => {
  const make = (id, livemode, email) => JSON.stringify({ id, object: 'event', type: 'customer.updated', created: now() + (livemode ? 0 : 1), livemode,
    data: { object: { id: 'cus_e19', object: 'customer', email, livemode }, previous_attributes: { email: null } } });
  const live = make('evt_e19_live', true, 'live@example.com');
  const drill = make('evt_e19_test', false, 'test@example.com');
  for (const body of [live, drill]) assert.equal((await take('stripe', body, { 'stripe-signature': signature(stack.secret, body) })).status, 200);
  await until('both are applied', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id LIKE 'evt_e19_%'")) === '2');
  assert.deepEqual(await stack.query("SELECT livemode, email FROM billing_customer WHERE id = 'cus_e19' ORDER BY livemode"),
    [['f', 'test@example.com'], ['t', 'live@example.com']]);
});

test('E9 rotation: both secrets while they overlap, the old one not after; each use is counted', async () => {
  const overlap = Array.from({ length: 40 }, (_, i) => ({ body: JSON.stringify({ action: 'edited', issue: { n: i } }), secret: secrets.github[i % 2] }));
  const before = await stack.metric('sluice_source_secret_matches_total{source="github",secret="2"}');
  for (const { body, secret } of overlap) assert.equal((await take('github', body, await github(body, secret))).status, 200);
  assert.equal(await stack.metric('sluice_source_secret_matches_total{source="github",secret="2"}'), (before ?? 0) + 20);

  writeFileSync(stack.githubSecretFile, `${secrets.github[0]}\n`);
  stack.publisher.kill('SIGHUP');
  await until('the old secret is out', () => stack.logOf(stack.publisher).includes('process.reloaded'));
  const line = stack.logOf(stack.publisher).split('\n').find((one) => one.includes('process.reloaded'));
  assert.equal(JSON.parse(line).changed, 'GH_SECRET');
  const body = '{"action":"edited","issue":{"n":"last"}}';
  assert.equal((await take('github', body, await github(body, secrets.github[1]))).status, 400);
  assert.equal((await take('github', body, await github(body, secrets.github[0]))).status, 200);
});

test('the ledger: what was answered 2xx was published, and nothing else was', async () => {
  const ids = new Set(accepted);
  await until('every accepted event is published', () => [...ids].every((id) => tap.byId(id).length > 0) && tap.messages.length >= accepted.length);
  assert.equal(tap.messages.length, accepted.length);
  for (const { envelope } of tap.messages) assert.ok(ids.has(envelope.id), envelope.id);
});

test('while the broker is away each source goes the way of its own policy', async () => {
  const away = await Stack.start('sources_away', { withConsumer: false, withPublisher: false });
  const sourcesFile = path.join(away.dir, 'sources.conf');
  writeFileSync(sourcesFile, file);
  Object.assign(away.publisherEnvironment, environment(), { SLUICE_SOURCES: sourcesFile, GH_SECRET: secrets.github[0], AMQP_URL: 'amqp://u:p@127.0.0.1:1', SLUICE_JOURNAL_ALLOW_VOLATILE: 'true',
    SLUICE_DEGRADED_POLICY: 'github=journal,shopify=reject,partner-a=drop' });
  away.spawnPublisher();
  await until('it answers', async () => (await fetch(`${away.url}/readyz`)).status === 200);
  const body = JSON.stringify({ meta: { id: 'away' }, action: 'opened', issue: {} });
  const post = async (source, headers) => {
    const sender = new Sender(away, { path: `/webhooks/${source}` });
    const answer = await sender.post(body, headers);
    sender.close();
    return [answer.status, answer.body];
  };
  assert.equal((await post('github', await github(body)))[0], 202);
  assert.equal((await post('shopify', shopify(body)))[0], 503);
  assert.deepEqual(await post('partner-a', partner(body)), [202, '{"received":true,"id":"away","degraded":true,"stored":false}']);
  await away.stop();
});

const refusals = [
  ['an empty secret', { GH_SECRET: '' }, 'GH_SECRET'],
  ['no secret at all', { GH_SECRET: undefined }, 'GH_SECRET'],
  ['a short one', { GH_SECRET: 'too-short-by-far' }, 'GH_SECRET'],
  ['white space', { GH_SECRET: 'this one has spaces in its middle' }, 'GH_SECRET'],
  ['a placeholder', { GH_SECRET: 'changechangechangechangechange' }, 'GH_SECRET'],
  ['a second one that is short', { GH_SECRET: `${secrets.github[0]},short-canary` }, 'GH_SECRET'],
  ['no base64 where base64 is due', { CLERK_WEBHOOK_SECRET: 'whsec_this-is-not-base64-canary!' }, 'CLERK_WEBHOOK_SECRET'],
  ['an API key for Stripe', { STRIPE_WEBHOOK_SECRET: 'sk_live_canary0123456789abcdefghijklm' }, 'STRIPE_WEBHOOK_SECRET'],
  ['a file that is not there', { GH_SECRET: undefined, GH_SECRET_FILE: '/nonexistent/canary' }, 'GH_SECRET_FILE'],
];
for (const [name, change, variable] of refusals) {
  test(`E10 ${name}: the start is refused, naming ${variable}`, async () => {
    const sourcesFile = path.join(stack.dir, 'sources.conf');
    const env = { ...stack.environment, ...environment(), SLUICE_SOURCES: sourcesFile, GH_SECRET: secrets.github[0], SLUICE_STATE_DIR: stack.dir, ...change };
    for (const key of Object.keys(env)) if (env[key] === undefined) delete env[key];
    const { code, stderr } = await new Promise((resolve) => {
      execFile(path.join(process.env.SLUICE_BIN, 'sluice-publisher'), { env, timeout: 300000 }, (error, _, text) => resolve({ code: error?.code, stderr: text }));
    });
    assert.equal(code, 78, stderr);
    assert.match(stderr, new RegExp(`^  ${variable}: `, 'm'));
    for (const value of Object.values(change)) if (value && variable in change && !variable.endsWith('_FILE')) assert.ok(!stderr.includes(value), 'the value is not shown');
  });
}

test('a mistake in the file stops the start with its place', async () => {
  const wrong = path.join(stack.dir, 'wrong.conf');
  writeFileSync(wrong, '[github]\nsekret = GH_SECRET\n[acme]\nheader = X\n');
  const env = { ...stack.environment, SLUICE_SOURCES: wrong, GITHUB_WEBHOOK_SECRET: secrets.github[0] };
  const { code, stderr } = await new Promise((resolve) => {
    execFile(path.join(process.env.SLUICE_BIN, 'sluice-publisher'), { env, timeout: 300000 }, (error, _, text) => resolve({ code: error?.code, stderr: text }));
  });
  assert.equal(code, 78);
  assert.ok(stderr.includes(`${wrong}:2: [github] has no key "sekret"; did you mean secret?`), stderr);
  assert.ok(stderr.includes(`${wrong}:4: [acme] scheme: must come before this key`), stderr);
});

test('no secret and no signature is in any log line', async () => {
  const log = stack.logOf(stack.publisher);
  for (const secret of Object.values(secrets).flat()) assert.ok(!log.includes(secret));
  assert.ok(!/sha256=[0-9a-f]{64}|v0=[0-9a-f]{64}|v1,[A-Za-z0-9+/]{43}=/.test(log));
  for (const line of log.trim().split('\n')) JSON.parse(line);
});
