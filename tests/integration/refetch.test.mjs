// refetch - where events do not say enough, Stripe is asked, once per object, and its answer is applied like any event; nothing is asked in vain, and nothing is forgotten.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { FakeStripe } from '../support/fake_stripe.mjs';

const AT = Math.floor(Date.now() / 1000) - 600;
let stack;
let stripe;
let sender;

before(async () => {
  stripe = await FakeStripe.start();
  stripe.readOnlyKeys.add('rk_test_reads_only_0123456789');
  // The other key is of no use: everything that only reads must take the restricted one.
  stack = await Stack.start('refetch', { consumer: { STRIPE_API_BASE: stripe.url, STRIPE_API_KEY: 'sk_test_never_used_for_reading', STRIPE_RESTRICTED_KEY: 'rk_test_reads_only_0123456789' } });
  sender = new Sender(stack, { connections: 4 });
});
after(async () => {
  sender?.close();
  await stack?.stop();
  await stripe?.stop();
});

const list = (data, has_more = false) => ({ object: 'list', data, has_more });
const snapshot = (id, type, created, object, more = {}) => ({ id, object: 'event', type, created, livemode: false, data: { object }, ...more });
const thin = (id, type, object, more = {}) => ({ id, object: 'v2.core.event', type, created: new Date(AT * 1000).toISOString().replace('.000', '.123456789'), livemode: false,
  context: null, reason: null, related_object: { id: object.id, type: object.object, url: `/v1/${object.object}s/${object.id}` }, ...more });
const customer = (id, more = {}) => ({ id, object: 'customer', created: AT - 100, livemode: false, name: null, metadata: {}, ...more });

async function send(events) {
  const answers = await sender.sendAll(events);
  assert.deepEqual([...answers].filter(([, status]) => status !== 200), []);
}
const asked = (path) => stripe.requests.filter((request) => request.path === path);
const row = (table, id, columns, account = '') => stack.query(`SELECT ${columns} FROM ${table} WHERE account = '${account}' AND id = '${id}'`);
const settled = () => until('nothing is left to ask', async () => (await stack.value('SELECT count(*) FROM billing_refetch')) === '0');
const outcomes = (outcome) => stack.metric(`sluice_billing_refetches_total{outcome="${outcome}"}`, stack.consumerPort);

test('events of one second that nothing orders: Stripe is asked once, and what it says stands', async () => {
  stripe.put('customers', customer('cus_tie', { name: 'as Stripe has it' }));
  await send([1, 2, 3].map((n) => snapshot(`evt_tie_${n}`, 'customer.updated', AT, customer('cus_tie', { name: `one of ${n}` }))));
  await until('the customer is as Stripe has it', async () => (await row('billing_customer', 'cus_tie', 'name'))[0]?.[0] === 'as Stripe has it');
  await settled();
  assert.equal(asked('/v1/customers/cus_tie').length, 1);
  await until('it is counted', async () => (await stack.metric('sluice_order_ambiguous_total', stack.consumerPort)) >= 1);
  assert.deepEqual(await stack.query("SELECT type, verdict FROM sluice_inbox WHERE object = 'cus_tie' AND type LIKE 'sluice.%'"), [['sluice.customer.observed', 'applied']]);
  assert.ok(stripe.requests.every((request) => request.method === 'GET'));
});

test('a thin event without a snapshot brings its object, from the account it names', async () => {
  const invoice = { id: 'in_thin', object: 'invoice', created: AT - 50, livemode: false, status: 'paid', amount_paid: 700, metadata: {}, lines: list([{ id: 'il_thin', object: 'line_item', amount: 700, metadata: {} }]) };
  stripe.put('invoices', invoice, 'acct_1');
  await send([thin('evt_thin_1', 'v1.invoice.paid', invoice, { context: 'acct_1' }), thin('evt_thin_2', 'v1.invoice.updated', invoice, { context: 'acct_1' })]);
  await until('the invoice is there', async () => (await row('billing_invoice', 'in_thin', 'status, amount_paid', 'acct_1')).length === 1);
  await settled();
  assert.deepEqual(await row('billing_invoice', 'in_thin', 'status, amount_paid', 'acct_1'), [['paid', '700']]);
  assert.deepEqual(await row('billing_invoice_line', 'il_thin', 'amount', 'acct_1'), [['700']]);
  assert.deepEqual(asked('/v1/invoices/in_thin').map((request) => request.account), ['acct_1']);
  assert.deepEqual(await stack.query("SELECT verdict, body IS NOT NULL, occurred_at = to_timestamp(" + AT + ") FROM sluice_inbox WHERE event_id LIKE 'evt_thin%'"), [['ignored', 't', 't'], ['ignored', 't', 't']]);
});

test('a thin event whose snapshot arrives as well is nothing to ask about, whichever comes first', async () => {
  const known = await outcomes('known') ?? 0;
  // Both wait in the queue, so that the second comes behind the first, each in its own transaction, however slow the machine is.
  await stack.sluice('queue', 'set', 'billing', 'batch=1');
  await stack.sluice('queue', 'pause', 'billing');
  for (const [n, first] of [[1, 'thin'], [2, 'snapshot']]) {
    const object = customer(`cus_both_${n}`, { name: 'told by the snapshot' });
    const pair = { snapshot: snapshot(`evt_snap_${n}`, 'customer.updated', AT, object), thin: thin(`evt_twin_${n}`, 'v1.customer.updated', object, { snapshot_event: `evt_snap_${n}` }) };
    await send([pair[first]]);
    await send([pair[first === 'thin' ? 'snapshot' : 'thin']]);
  }
  await stack.sluice('queue', 'resume', 'billing');
  await until('both were found to be known', async () => (await outcomes('known') ?? 0) === known + 2);
  await stack.sluice('queue', 'set', 'billing', '--reset');
  await settled();
  for (const n of [1, 2]) {
    assert.equal(asked(`/v1/customers/cus_both_${n}`).length, 0);
    assert.deepEqual(await row('billing_customer', `cus_both_${n}`, 'name'), [['told by the snapshot']]);
  }
});

test('a snapshot that never comes is not waited for', async () => {
  stripe.put('customers', customer('cus_alone', { name: 'from Stripe' }));
  await send([thin('evt_alone', 'v1.customer.updated', customer('cus_alone'), { snapshot_event: 'evt_never_sent' })]);
  await until('the customer is there', async () => (await row('billing_customer', 'cus_alone', 'name'))[0]?.[0] === 'from Stripe');
});

test('a deletion told by a thin event is a tombstone; an object that Stripe does not know for another reason is left as it is', async () => {
  await send([snapshot('evt_gone_0', 'customer.created', AT, customer('cus_gone', { name: 'Ada' })), snapshot('evt_kept_0', 'customer.created', AT, customer('cus_kept', { name: 'Ada' }))]);
  await send([thin('evt_gone_1', 'v1.customer.deleted', customer('cus_gone')), thin('evt_kept_1', 'v1.customer.updated', customer('cus_kept'))]);
  await until('the deletion is known', async () => (await row('billing_customer', 'cus_gone', 'deleted_at IS NOT NULL'))[0]?.[0] === 't');
  await settled();
  assert.deepEqual(await row('billing_customer', 'cus_kept', 'name, deleted_at IS NULL'), [['Ada', 't']]);
  await until('it is counted', async () => (await outcomes('unknown')) === 1);
});

test('an event that Stripe could not make: its object is fetched, also when the notice was pushed without its data', async () => {
  const type = 'v2.core.health.event_generation_failure.resolved';
  const data = (id) => ({ alert_id: `al_${id}`, impact: { event_type: 'customer.updated', related_object: { id, type: 'customer', url: `/v1/customers/${id}` } } });
  for (const id of ['cus_unmade_1', 'cus_unmade_2']) stripe.put('customers', customer(id, { name: 'as it is now' }));
  const pushed = { id: 'evt_unmade_2', object: 'v2.core.event', type, created: new Date(AT * 1000).toISOString(), livemode: false, context: null, related_object: null };
  stripe.put('thin', { ...pushed, data: data('cus_unmade_2') });
  await send([{ ...pushed, id: 'evt_unmade_1', data: data('cus_unmade_1') }, pushed]);
  await until('both customers are there', async () => (await stack.value("SELECT count(*) FROM billing_customer WHERE name = 'as it is now'")) === '2');
  await settled();
  assert.equal(asked('/v2/core/events/evt_unmade_2').length, 1);
});

test('lists that events carry in part are fetched to their end, and what is not in them any more goes', async () => {
  stripe.listMax = 10;
  const items = Array.from({ length: 130 }, (_, n) => ({ id: `si_${n}`, object: 'subscription_item', created: AT, quantity: n + 1, metadata: {}, price: { id: 'price_1', object: 'price', product: 'prod_1' } }));
  const subscription = { id: 'sub_long', object: 'subscription', created: AT - 9, livemode: false, customer: 'cus_1', status: 'active', metadata: {}, items: list(items) };
  stripe.put('subscriptions', subscription);
  const leaving = { ...items[0], id: 'si_left' };
  await send([snapshot('evt_long_1', 'customer.subscription.created', AT - 9, { ...subscription, items: list([leaving, ...items.slice(0, 5)]) })]);
  await until('it is there', async () => (await row('billing_subscription_item', 'si_left', 'id')).length === 1);
  await send([snapshot('evt_long_2', 'customer.subscription.updated', AT, { ...subscription, items: list(items.slice(0, 10), true) })]);
  await until('all items are there', async () => (await stack.value("SELECT count(*) FROM billing_subscription_item WHERE subscription = 'sub_long' AND deleted_at IS NULL")) === '130');
  await settled();
  assert.deepEqual(await row('billing_subscription', 'sub_long', 'items_has_more, status'), [['f', 'active']]);
  assert.deepEqual(await row('billing_subscription_item', 'si_left', 'deleted_at IS NOT NULL'), [['t']]);
  assert.deepEqual(await row('billing_subscription_item', 'si_129', 'quantity, position'), [['130', '129']]);
  assert.deepEqual(asked('/v1/subscription_items').map((request) => [request.query.starting_after, request.query.limit]), [['si_9', '100'], ['si_109', '100']]);
  stripe.listMax = Infinity;
});

test('Stripe failing costs nothing: it is asked again, and the row says why until then', async () => {
  stripe.put('customers', customer('cus_later', { name: 'in the end' }));
  stripe.fail({ path: '/v1/customers/cus_later', status: 403, times: 1 });
  await send([thin('evt_later', 'v1.customer.updated', customer('cus_later'))]);
  const [line] = await stack.said(stack.consumer, 'billing.refetch_failed', 1);
  assert.deepEqual([line.kind, line.object, line.attempt, line.wait_ms], ['customer', 'cus_later', 1, 5000]);
  assert.match(await stack.value("SELECT error FROM billing_refetch WHERE id = 'cus_later'"), /Stripe answers 403/);
  await until('the customer is there', async () => (await row('billing_customer', 'cus_later', 'name'))[0]?.[0] === 'in the end');
  await settled();
});

test('a consumer that is killed forgets no question', async () => {
  stripe.put('customers', customer('cus_killed', { name: 'asked by the next life' }));
  await send([thin('evt_killed', 'v1.customer.updated', customer('cus_killed'))]);
  await until('the question is written down', async () => (await stack.value("SELECT count(*) FROM billing_refetch WHERE id = 'cus_killed'")) === '1');
  stack.consumer.kill('SIGKILL');
  await stack.consumer.ended;
  await stack.startConsumer();
  await until('the customer is there', async () => (await row('billing_customer', 'cus_killed', 'name'))[0]?.[0] === 'asked by the next life');
});

test('objects of the other mode are not asked about', async () => {
  await send([{ ...thin('evt_live', 'v1.customer.updated', customer('cus_live')), livemode: true }]);
  await until('it is in the inbox', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id = 'evt_live'")) === '1');
  assert.equal(await stack.value("SELECT count(*) FROM billing_refetch WHERE livemode"), '0');
  assert.equal(asked('/v1/customers/cus_live').length, 0);
});

test('an account that deauthorizes is known to have left and is not asked about, until it comes back', async () => {
  const application = { id: 'ca_1', object: 'application', name: 'ours' };
  const left = () => stack.query("SELECT application, extract(epoch FROM deauthorized_at)::bigint FROM billing_account WHERE account = 'acct_left'");
  await send([snapshot('evt_left_2', 'account.application.deauthorized', AT + 20, application, { account: 'acct_left' })]);
  await until('it has left', async () => (await left()).length === 1);
  await send([snapshot('evt_left_1', 'account.application.authorized', AT + 10, application, { account: 'acct_left' }), thin('evt_left_thin', 'v1.customer.updated', customer('cus_left'), { context: 'acct_left' })]);
  await until('the late one is stale', async () => (await stack.value("SELECT verdict FROM sluice_inbox WHERE event_id = 'evt_left_1'")) === 'stale');
  await settled();
  assert.deepEqual(await left(), [['ca_1', String(AT + 20)]]);
  assert.equal(asked('/v1/customers/cus_left').length, 0);
  await send([snapshot('evt_left_3', 'account.application.authorized', AT + 30, application, { account: 'acct_left' })]);
  await until('it is back', async () => (await left())[0][1] === '');
});

test('what events refer to and nothing tells of is asked about after a while, and is seen until then', async () => {
  const invoice = { id: 'in_child', object: 'invoice', created: AT, livemode: false, customer: 'cus_parent', status: 'open', metadata: {}, parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_parent' } }, lines: list([]) };
  stripe.put('customers', customer('cus_parent', { name: 'the parent' }));
  stripe.put('subscriptions', { id: 'sub_parent', object: 'subscription', created: AT, livemode: false, customer: 'cus_parent', status: 'active', metadata: {}, items: list([]) });
  await send([snapshot('evt_child', 'invoice.created', AT, invoice), snapshot('evt_known', 'invoice.created', AT, { ...invoice, id: 'in_known', customer: 'cus_tie', parent: null })]);
  await until('the orphans are seen', async () => (await stack.value("SELECT string_agg(kind || ' ' || id, ', ' ORDER BY kind) FROM billing_orphan WHERE id LIKE '%_parent'")) === 'customer cus_parent, subscription sub_parent');
  await stack.terminate(stack.consumer);
  stack.consumerEnvironment.SLUICE_ORPHAN_AGE = '2s';
  await stack.startConsumer();
  await until('the parents are there', async () => (await stack.value("SELECT count(*) FROM billing_orphan WHERE id LIKE '%_parent'")) === '0');
  assert.deepEqual([await row('billing_customer', 'cus_parent', 'name'), await row('billing_subscription', 'sub_parent', 'status')], [[['the parent']], [['active']]]);
  assert.ok(asked('/v1/customers/cus_parent').length <= 2);
  assert.equal(asked('/v1/customers/cus_tie').length, 1, 'whom we know nobody asks about');
});

test('no event was set aside', async () => {
  assert.equal(await stack.value('SELECT count(*) FROM sluice_dead_letter'), '0');
});
