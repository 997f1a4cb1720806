// billing_api - the read API shows what the tables hold, page by page, to those whose token says so, as openapi.yaml describes it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compile, openapi } from './lib/schemas.mjs';
import { histories } from './lib/histories.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const LIVES = 60;
const start = Math.floor(Date.now() / 1000) - 3600;
const tokens = { raptor: 'a-token-of-raptor-0123456789abcdef-1', next: 'a-token-of-raptor-0123456789abcdef-2' };
const { events, lives } = histories(5, LIVES, start);

let stack;
const paths = { customers: '/api/v1/billing/customers', subscriptions: '/api/v1/billing/subscriptions', invoices: '/api/v1/billing/invoices' };

async function get(path, { token = tokens.raptor, headers = {}, method = 'GET' } = {}) {
  const answer = await fetch(`${stack.url}${path}`, { method, headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers } });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, json: text ? JSON.parse(text) : undefined };
}

function conforms(route, answer) {
  let at = ['paths', route, 'get', 'responses', String(answer.status)];
  let described = openapi.paths[route].get.responses[answer.status];
  assert.ok(described, `${route}: ${answer.status} is not described`);
  if (described.$ref) {
    at = described.$ref.slice(2).split('/');
    described = openapi.components.responses[at.at(-1)];
  }
  const pointer = `#/${[...at, 'content', answer.headers.get('content-type'), 'schema'].map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`;
  const check = compile(openapi, pointer);
  assert.ok(check(answer.json), `${answer.text}: ${JSON.stringify(check.errors)}`);
}

before(async () => {
  stack = await Stack.start('billing_api', { publisher: { QUEUE_SERVICE_TOKEN_RAPTOR: `${tokens.raptor},${tokens.next}` } });
  const sender = new Sender(stack);
  const test = events.map((event) => event);
  const live = events.slice(0, 40).map((event) => ({ ...event, id: `${event.id}_live`, livemode: true, account: 'acct_1' }));
  const answers = await sender.sendAll([...test, ...live]);
  sender.close();
  assert.deepEqual([...answers.values()].filter((status) => status !== 200), []);
  await until('all is applied', async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === String(test.length + live.length), 60000);
});
after(() => stack?.stop());

async function all(path, size) {
  const found = [];
  for (let after_ = ''; ;) {
    const page = await get(`${path}&limit=${size}${after_ && `&starting_after=${after_}`}`);
    assert.equal(page.status, 200, page.text);
    found.push(...page.json.data);
    if (!page.json.has_more) return found;
    after_ = found.at(-1).id;
  }
}

test('pages walk through every row once, newest first, also where many share a second', async () => {
  for (const [plural, table] of [['customers', 'customer'], ['invoices', 'invoice']]) {
    const rows = (await stack.query(`SELECT id FROM billing_${table} WHERE account = '' AND NOT livemode AND deleted_at IS NULL ORDER BY created DESC, id COLLATE "C"`)).map(([id]) => id);
    for (const size of [1, 7, 100]) {
      assert.deepEqual((await all(`${paths[plural]}?livemode=false`, size)).map((one) => one.id), rows);
    }
  }
});

test('ending_before walks back to the page that was left', async () => {
  const first = await get(`${paths.customers}?livemode=false&limit=5`);
  const second = await get(`${paths.customers}?livemode=false&limit=5&starting_after=${first.json.data.at(-1).id}`);
  const back = await get(`${paths.customers}?livemode=false&limit=5&ending_before=${second.json.data[0].id}`);
  assert.deepEqual(back.json.data, first.json.data);
  assert.equal(back.json.has_more, false);
  const middle = await get(`${paths.customers}?livemode=false&limit=2&ending_before=${second.json.data[0].id}`);
  assert.deepEqual([middle.json.data, middle.json.has_more], [first.json.data.slice(3), true]);
});

test('an object is what Stripe last said of it', async () => {
  const life = lives.subscription.find((one) => !one.isDeleted && one.object.items.data.length > 1) ?? lives.subscription[0];
  const answer = await get(`${paths.subscriptions}/${life.object.id}?livemode=false`);
  conforms('/api/v1/billing/subscriptions/{id}', answer);
  const { object, id, status, customer, created, items } = answer.json;
  assert.deepEqual({ object, id, status, customer, created }, { object: 'subscription', id: life.object.id, status: life.object.status, customer: life.object.customer, created: life.object.created });
  assert.deepEqual(items.data.map((item) => [item.id, item.quantity]).sort(), life.object.items.data.map((item) => [item.id, item.quantity]).sort());
  const invoice = await get(`${paths.invoices}/${lives.invoice[0].object.id}?livemode=false`);
  conforms('/api/v1/billing/invoices/{id}', invoice);
  assert.equal(invoice.json.lines.data[0].amount, 500);
});

test('a deleted object is found by its id and listed only when asked for', async () => {
  const gone = lives.customer.find((one) => one.isDeleted).object.id;
  const answer = await get(`${paths.customers}/${gone}?livemode=false`);
  assert.deepEqual([answer.status, answer.json.deleted], [200, true]);
  assert.ok(!(await all(`${paths.customers}?livemode=false`, 100)).some((one) => one.id === gone));
  assert.ok((await all(`${paths.customers}?livemode=false&deleted=true`, 100)).some((one) => one.id === gone));
});

test('filters are those of the description', async () => {
  const canceled = lives.subscription.filter((one) => one.object.status === 'canceled').map((one) => one.object.id).sort();
  assert.deepEqual((await all(`${paths.subscriptions}?livemode=false&status=canceled`, 50)).map((one) => one.id).sort(), canceled);
  assert.equal((await all(`${paths.subscriptions}?livemode=false&status=all`, 50)).length, LIVES);
  assert.equal((await all(`${paths.subscriptions}?livemode=false`, 50)).length, LIVES - canceled.length);
  const named = lives.customer.find((one) => one.object.email && !one.isDeleted).object;
  assert.deepEqual((await get(`${paths.customers}?livemode=false&email=${encodeURIComponent(named.email.toUpperCase())}`)).json.data.map((one) => one.id), [named.id]);
  const one = lives.invoice[3].object;
  assert.deepEqual((await get(`${paths.invoices}?livemode=false&subscription=${one.parent.subscription_details.subscription}`)).json.data.map((row) => row.id), [one.id]);
  assert.deepEqual((await get(`${paths.invoices}?livemode=false&created[lt]=${start}`)).json.data, []);
  assert.equal((await get(`${paths.invoices}?livemode=false&created%5Bgte%5D=${start}&limit=100`)).json.data.length, LIVES);
});

test('test objects are not shown for live ones, nor one account for another', async () => {
  assert.deepEqual((await get(paths.customers)).json.data, []);
  const shown = await all(`${paths.customers}?account=acct_1`, 10);
  assert.ok(shown.length > 0 && shown.every((one) => one.livemode && one.account === 'acct_1'));
});

test('what has not changed is not sent again', async () => {
  const path = `${paths.customers}?livemode=false&limit=3`;
  const first = await get(path);
  conforms('/api/v1/billing/customers', first);
  const again = await get(path, { headers: { 'if-none-match': first.headers.get('etag') } });
  assert.deepEqual([again.status, again.text, again.headers.get('etag')], [304, '', first.headers.get('etag')]);
});

test('refusals are problems that say what to do, and are described', async () => {
  const cases = [
    [`${paths.customers}?limit=0`, {}, 400, /1 to 100/],
    [`${paths.customers}?limit=3&limit=4`, {}, 400, /twice/],
    [`${paths.customers}?emial=x`, {}, 400, /did you mean email/],
    [`${paths.customers}?livemode=yes`, {}, 400, /true or false/],
    [`${paths.customers}?created[gte]=today`, {}, 400, /seconds since 1970/],
    [`${paths.customers}?starting_after=a&ending_before=b`, {}, 400, /not both/],
    [`${paths.customers}?livemode=false&starting_after=cus_none`, {}, 400, /not there/],
    [`${paths.customers}/cus_none`, {}, 404, /no such customer/],
    [paths.customers, { token: null }, 401, /bearer token/],
    [paths.customers, { token: 'x'.repeat(40) }, 401, /bearer token/],
    [`${paths.customers}?token=${tokens.raptor}`, { token: null }, 401, /bearer token/],
  ];
  for (const [path, options, status, detail] of cases) {
    const answer = await get(path, options);
    assert.equal(answer.status, status, `${path}: ${answer.text}`);
    assert.match(answer.json.detail, detail);
    conforms(path.includes('/cus_none') ? '/api/v1/billing/customers/{id}' : '/api/v1/billing/customers', answer);
  }
  const posted = await get(paths.customers, { method: 'DELETE' });
  assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, POST']);
  assert.equal((await get('/api/v1/billing/plans')).status, 404);
});

test('both tokens of a rotation are good', async () => {
  assert.equal((await get(paths.customers, { token: tokens.next })).status, 200);
});

test('SQL in a parameter is a value', async () => {
  const answer = await get(`${paths.customers}?livemode=false&email=${encodeURIComponent("x' OR '1'='1")}`);
  assert.deepEqual([answer.status, answer.json.data], [200, []]);
});

test('more at once than there are connections to the database are all answered', async () => {
  // Two connections; who waits longer than 3 s is told to come again, which is not looked at here: a busy machine takes tenths of a second for each.
  const answers = await Promise.all(Array.from({ length: 12 }, () => get(`${paths.invoices}?livemode=false&limit=5`)));
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([200]));
  assert.equal(new Set(answers.map((answer) => answer.text)).size, 1);
});

test('without a database the API answers 503, and webhooks go on', async () => {
  const world = await Stack.start('billing_api_none', { publisher: { QUEUE_SERVICE_TOKEN_RAPTOR: tokens.raptor, DATABASE_URL: '' }, withConsumer: false });
  try {
    const answer = await fetch(`${world.url}${paths.customers}`, { headers: { authorization: `Bearer ${tokens.raptor}` } });
    assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1']);
    assert.match((await answer.json()).detail, /DATABASE_URL/);
    const sender = new Sender(world);
    assert.equal((await sender.signed('{"id":"evt_1","type":"x.y"}')).status, 200);
    sender.close();
  } finally {
    await world.stop();
  }
});
