// shapes - one fact told in the words of an old API version and in those of a new one leaves the same rows.
//
// Every change of Stripe's API that touches billing is a case, by name. The old form is told about account acct_old, the new one about acct_new, both with the same ids;
// then whole rows are compared, and what they must hold is read, so that two empty rows are no success. All cases travel together, in a random order
// (a failure names its seed; SLUICE_TEST_SEED tells it again).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { randomFrom, shuffled } from './lib/histories.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const SEED = Number(process.env.SLUICE_TEST_SEED ?? Date.now() % 1000000);
const AT = Math.floor(Date.now() / 1000) - 3600;
const OLD = '2024-06-20';
const list = (data, extra = {}) => ({ object: 'list', data, has_more: false, ...extra });

const subscription = (n, fields) => ({ id: `sub_${n}`, object: 'subscription', created: AT, customer: 'cus_1', status: 'active', metadata: {}, ...fields });
const invoice = (n, fields) => ({ id: `in_${n}`, object: 'invoice', created: AT, customer: 'cus_1', status: 'open', attempt_count: 1, amount_due: 1000, amount_paid: 0, amount_remaining: 1000, metadata: {}, ...fields });
const item = (n, fields) => ({ id: `si_${n}`, object: 'subscription_item', created: AT, quantity: 1, metadata: {}, ...fields });
const line = (n, fields) => ({ id: `il_${n}`, object: 'line_item', amount: 1000, quantity: 1, metadata: {}, period: { start: AT, end: AT + 10 }, ...fields });
const price = { id: 'price_1', object: 'price', currency: 'eur', product: 'prod_1', unit_amount: 1000, unit_amount_decimal: '1000', recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' } };

// change: since: what differs; old, new: [type, object] each, told in this order; table, id, holds: columns that the row must have.
// sql instead of table: what both accounts ($account) must answer.
const cases = [
  {
    change: 'subscription.current_period_start/end', since: 'basil',
    old: [['customer.subscription.updated', subscription('period', { current_period_start: AT, current_period_end: AT + 60, items: list([item('period', { price })], { total_count: 1 }) })]],
    new: [['customer.subscription.updated', subscription('period', { items: list([item('period', { price, current_period_start: AT, current_period_end: AT + 60 })]) })]],
    holds: { billing_subscription: { current_period_end: AT + 60, current_period_start: AT }, billing_subscription_item: { current_period_end: AT + 60, price: 'price_1' } },
  },
  {
    change: 'invoice.subscription, subscription_details, subscription_proration_date', since: 'basil',
    old: [['invoice.updated', invoice('parent', { subscription: 'sub_1', subscription_details: { metadata: { a: '1' } }, subscription_proration_date: AT, quote: null })]],
    new: [['invoice.updated', invoice('parent', { parent: { type: 'subscription_details', quote_details: null, subscription_details: { subscription: 'sub_1', metadata: { a: '1' }, subscription_proration_date: AT } } })]],
    holds: { billing_invoice: { subscription: 'sub_1', parent_type: 'subscription_details' } },
  },
  {
    change: 'invoice.quote', since: 'basil',
    old: [['invoice.updated', invoice('quote', { quote: 'qt_1', subscription: null })]],
    new: [['invoice.updated', invoice('quote', { parent: { type: 'quote_details', quote_details: { quote: 'qt_1' }, subscription_details: null } })]],
    holds: { billing_invoice: { parent_type: 'quote_details', subscription: null } },
  },
  {
    change: 'a legacy field that is there and null', since: 'basil',
    old: [['invoice.updated', invoice('null', { subscription: 'sub_1', total_tax_amounts: [] })]],
    new: [['invoice.updated', invoice('null', { subscription: null, total_tax_amounts: null, total_taxes: [], parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1' } } })]],
    holds: { billing_invoice: { subscription: 'sub_1', total_taxes: [] } },
  },
  {
    change: 'line.type, subscription, subscription_item, proration, proration_details', since: 'basil',
    old: [['invoice.updated', invoice('lines', { lines: list([line('sub', { type: 'subscription', subscription: 'sub_1', subscription_item: 'si_1', proration: true, proration_details: { credited_items: null } })], { total_count: 1 }) })]],
    new: [['invoice.updated', invoice('lines', { lines: list([line('sub', { subscription: 'sub_1', parent: { type: 'subscription_item_details', invoice_item_details: null, subscription_item_details: { subscription: 'sub_1', subscription_item: 'si_1', invoice_item: null, proration: true, proration_details: { credited_items: null } } } })]) })]],
    holds: { billing_invoice_line: { parent_type: 'subscription_item_details', subscription: 'sub_1', subscription_item: 'si_1', proration: true } },
  },
  {
    change: 'line.invoice_item', since: 'basil',
    old: [['invoice.updated', invoice('item', { lines: list([line('item', { type: 'invoiceitem', invoice_item: 'ii_1', subscription: null, proration: false })]) })]],
    new: [['invoice.updated', invoice('item', { lines: list([line('item', { subscription: null, parent: { type: 'invoice_item_details', subscription_item_details: null, invoice_item_details: { invoice_item: 'ii_1', subscription: null, proration: false } } })]) })]],
    holds: { billing_invoice_line: { parent_type: 'invoice_item_details', invoice_item: 'ii_1', subscription: null, proration: false } },
  },
  {
    change: 'line.price, unit_amount', since: 'basil',
    old: [['invoice.updated', invoice('price', { lines: list([line('price', { price })]) })]],
    new: [['invoice.updated', invoice('price', { lines: list([line('price', { pricing: { type: 'price_details', price_details: { price: 'price_1', product: 'prod_1' }, unit_amount_decimal: '1000' } })]) })]],
    holds: { billing_invoice_line: { price: 'price_1', product: 'prod_1', unit_amount_decimal: 1000 } },
  },
  {
    change: 'line.plan', since: 'basil',
    old: [['invoice.updated', invoice('plan', { lines: list([line('plan', { price: null, plan: { id: 'plan_1', object: 'plan', product: 'prod_1', amount: 1000, amount_decimal: '1000.5' } })]) })]],
    new: [['invoice.updated', invoice('plan', { lines: list([line('plan', { pricing: { type: 'price_details', price_details: { price: 'plan_1', product: 'prod_1' }, unit_amount_decimal: '1000.5' } })]) })]],
    holds: { billing_invoice_line: { price: 'plan_1', product: 'prod_1', unit_amount_decimal: 1000.5 } },
  },
  {
    change: 'invoice.payment_intent, charge', since: 'basil',
    old: [['invoice.paid', invoice('paid', { status: 'paid', paid: true, amount_paid: 1000, amount_remaining: 0, payment_intent: 'pi_1', charge: 'ch_1' })]],
    new: [['invoice.paid', invoice('paid', { status: 'paid', amount_paid: 1000, amount_remaining: 0 })],
      ['invoice_payment.paid', { id: 'inpay_1', object: 'invoice_payment', created: AT, invoice: 'in_paid', status: 'paid', amount_paid: 1000, payment: { type: 'payment_intent', payment_intent: 'pi_1' } }]],
    sql: "SELECT v.status, v.amount_paid, p.payment_type, p.payment FROM billing_invoice v JOIN billing_invoice_paid_by p ON (p.account, p.livemode, p.invoice) = (v.account, v.livemode, v.id) WHERE v.account = $account AND v.id = 'in_paid'",
    answer: [['paid', '1000', 'payment_intent', 'pi_1']],
  },
  {
    change: 'charge.invoice, payment_intent.invoice', since: 'basil',
    old: [['invoice.paid', invoice('charged', { status: 'paid', paid: true, charge: 'ch_2' })]],
    new: [['invoice_payment.paid', { id: 'inpay_2', object: 'invoice_payment', created: AT, invoice: 'in_charged', status: 'paid', amount_paid: 1000, payment: { type: 'charge', charge: 'ch_2' } }]],
    sql: "SELECT invoice FROM billing_invoice_paid_by WHERE account = $account AND (payment_type, payment) = ('charge', 'ch_2')",
    answer: [['in_charged']],
  },
  {
    change: 'invoice.paid_out_of_band, amount_paid of card money only', since: 'basil',
    old: [['invoice.paid', invoice('outside', { status: 'paid', paid: true, paid_out_of_band: true })]],
    new: [['invoice.paid', invoice('outside', { status: 'paid', amount_paid: 1000, amount_remaining: 0, amount_overpaid: null })]],
    holds: { billing_invoice: { amount_paid: 1000, amount_remaining: 0, status: 'paid' } },
  },
  {
    change: 'invoice.tax, total_tax_amounts and line.tax_amounts', since: 'basil',
    old: [['invoice.updated', invoice('tax', { tax: 19, total_tax_amounts: [{ amount: 19, inclusive: false, tax_rate: 'txr_1', taxability_reason: 'standard_rated', taxable_amount: 100 }],
      lines: list([line('tax', { tax_amounts: [{ amount: 19, inclusive: true, tax_rate: 'txr_1', taxability_reason: null, taxable_amount: 81 }] })]) })]],
    new: [['invoice.updated', invoice('tax', { total_taxes: [{ amount: 19, tax_behavior: 'exclusive', tax_rate_details: { tax_rate: 'txr_1' }, taxability_reason: 'standard_rated', taxable_amount: 100, type: 'tax_rate_details' }],
      lines: list([line('tax', { taxes: [{ amount: 19, tax_behavior: 'inclusive', tax_rate_details: { tax_rate: 'txr_1' }, taxability_reason: null, taxable_amount: 81, type: 'tax_rate_details' }] })]) })]],
    holds: {
      billing_invoice: { total_taxes: [{ amount: 19, type: 'tax_rate_details', tax_behavior: 'exclusive', taxable_amount: 100, tax_rate_details: { tax_rate: 'txr_1' }, taxability_reason: 'standard_rated' }] },
      billing_invoice_line: { taxes: [{ amount: 19, type: 'tax_rate_details', tax_behavior: 'inclusive', taxable_amount: 81, tax_rate_details: { tax_rate: 'txr_1' }, taxability_reason: null }] },
    },
  },
  {
    change: 'invoice.discount', since: 'basil',
    old: [['invoice.updated', invoice('discount', { discount: { id: 'di_1', object: 'discount', coupon: { id: 'SUMMER' } } })]],
    new: [['invoice.updated', invoice('discount', { discounts: ['di_1'] })]],
    holds: { billing_invoice: { discounts: ['di_1'] } },
  },
  {
    change: 'subscription.discount', since: 'basil',
    old: [['customer.subscription.updated', subscription('discount', { discount: { id: 'di_1', object: 'discount', coupon: { id: 'SUMMER' } } })]],
    new: [['customer.subscription.updated', subscription('discount', { discounts: ['di_1'] })]],
    holds: { billing_subscription: { discounts: ['di_1'] } },
  },
  {
    change: 'invoice.application_fee_amount, transfer_data', since: 'basil',
    old: [['invoice.updated', invoice('fee', { application_fee_amount: 5, transfer_data: { destination: 'acct_9' } })]],
    new: [['invoice.updated', invoice('fee', {})]],
    holds: { billing_invoice: { amount_due: 1000 } },
  },
  {
    change: 'credit_note.refund', since: 'basil',
    old: [['credit_note.created', { id: 'cn_1', object: 'credit_note', created: AT, invoice: 'in_1', refund: 're_1' }]],
    new: [['credit_note.created', { id: 'cn_1', object: 'credit_note', created: AT, invoice: 'in_1', refunds: [{ refund: 're_1' }] }]],
    sql: "SELECT verdict, object, object_type, coalesce(body#>>'{data,object,refund}', body#>>'{data,object,refunds,0,refund}') FROM billing_event WHERE account = $account AND type = 'credit_note.created'",
    answer: [['ignored', 'cn_1', 'credit_note', 're_1']],
  },
  {
    change: 'list.total_count', since: 'basil', // three items are known, two are told of, and the list says there are more: none may go
    old: [['customer.subscription.created', subscription('more', { items: list([1, 2, 3].map((n) => item(`more${n}`, { price }))) })],
      ['customer.subscription.updated', subscription('more', { items: list([1, 2].map((n) => item(`more${n}`, { price })), { has_more: true, total_count: 3 }) })]],
    new: [['customer.subscription.created', subscription('more', { items: list([1, 2, 3].map((n) => item(`more${n}`, { price }))) })],
      ['customer.subscription.updated', subscription('more', { items: list([1, 2].map((n) => item(`more${n}`, { price })), { has_more: true }) })]],
    sql: "SELECT s.items_has_more, count(*), count(i.deleted_at) FROM billing_subscription s JOIN billing_subscription_item i ON (i.account, i.subscription) = (s.account, s.id) WHERE s.account = $account AND s.id = 'sub_more' GROUP BY 1",
    answer: [['t', '3', '0']],
  },
  {
    change: 'Checkout: the session completes before there is a subscription', since: 'basil',
    old: [['customer.subscription.created', subscription('checkout', {})], ['checkout.session.completed', { id: 'cs_1', object: 'checkout.session', subscription: 'sub_checkout' }]],
    new: [['checkout.session.completed', { id: 'cs_1', object: 'checkout.session', subscription: 'sub_checkout' }], ['customer.subscription.created', subscription('checkout', {})]],
    sql: "SELECT (SELECT status FROM billing_subscription WHERE account = $account AND id = 'sub_checkout'), verdict FROM billing_event WHERE account = $account AND object = 'cs_1'",
    answer: [['active', 'ignored']],
  },
  {
    change: 'billing_mode', since: 'clover',
    old: [['customer.subscription.updated', subscription('mode', {})]],
    new: [['customer.subscription.updated', subscription('mode', { billing_mode: { type: 'flexible' } })]],
    sql: "SELECT coalesce(billing_mode->>'type', 'flexible'), status FROM billing_subscription WHERE account = $account AND id = 'sub_mode'",
    answer: [['flexible', 'active']],
  },
  {
    change: 'invoice.payment_attempt_required and payment_record', since: '2025-10-29',
    old: [['invoice.payment_action_required', invoice('attempt', {})]],
    new: [['invoice.payment_attempt_required', invoice('attempt', {})]],
    holds: { billing_invoice: { status: 'open', attempt_count: 1 } },
  },
  {
    change: 'numbers as decimals', since: 'dahlia',
    old: [['customer.subscription.updated', subscription('decimal', { application_fee_percent: 2.5, items: list([item('decimal', { price: { ...price, unit_amount: null, unit_amount_decimal: 0.25 } })]) })]],
    new: [['customer.subscription.updated', subscription('decimal', { application_fee_percent: '2.5', items: list([item('decimal', { price: { ...price, unit_amount: null, unit_amount_decimal: '0.25' } })]) })]],
    holds: { billing_subscription: { application_fee_percent: 2.5 }, billing_subscription_item: { unit_amount_decimal: 0.25, unit_amount: null } },
  },
  {
    change: 'billing_schedules, amount_paid_off_stripe (in no event)', since: '2026-05-27',
    old: [['customer.subscription.updated', subscription('schedules', {})]],
    new: [['customer.subscription.updated', subscription('schedules', { billing_schedules: [{ key: 'a' }] })]],
    holds: { billing_subscription: { status: 'active' } },
  },
  {
    change: 'more items than one event carries', since: '2026-08-26',
    old: [['customer.subscription.updated', subscription('many', { items: list(Array.from({ length: 20 }, (_, n) => item(`many${n}`, { price }))) })]],
    new: [['customer.subscription.created', subscription('many', { items: list(Array.from({ length: 10 }, (_, n) => item(`many${n + 10}`, { price })), { has_more: true }) })],
      ['customer.subscription.updated', subscription('many', { items: list(Array.from({ length: 10 }, (_, n) => item(`many${n}`, { price })), { has_more: true }) })]],
    inOrder: true, // what the first page said is only there once it was told
    sql: "SELECT count(*) FROM billing_subscription_item WHERE account = $account AND subscription = 'sub_many' AND deleted_at IS NULL",
    answer: [['20']],
  },
  {
    change: 'thin events beside snapshots', since: 'endive',
    old: [['customer.updated', { id: 'cus_thin', object: 'customer', created: AT, name: 'Ada' }]],
    new: [['customer.updated', { id: 'cus_thin', object: 'customer', created: AT, name: 'Ada' }],
      { object: 'v2.core.event', type: 'v1.customer.updated', created: new Date(AT * 1000).toISOString(), related_object: { id: 'cus_thin', type: 'customer', url: '/v1/customers/cus_thin' } }],
    holds: { billing_customer: { name: 'Ada' } },
  },
];

const tables = ['billing_customer', 'billing_subscription', 'billing_subscription_item', 'billing_invoice', 'billing_invoice_line'];
const said = `seed ${SEED}`;
let stack;

// The events of one side of a case; later ones happened later.
function told(one, index, side) {
  return one[side].map((event, n) => {
    const base = { id: `evt_${side}_${index}_${n}`, object: 'event', account: `acct_${side}`, livemode: false, created: AT + n, api_version: side === 'old' ? OLD : '2026-09-30.endive' };
    return Array.isArray(event) ? { ...base, type: event[0], data: { object: event[1] } } : { ...base, ...event };
  });
}

before(async () => {
  stack = await Stack.start('shapes');
  const sender = new Sender(stack, { connections: 8 });
  const all = cases.flatMap((one, index) => ['old', 'new'].map((side) => ({ one, events: told(one, index, side) })));
  const random = randomFrom(SEED);
  const send = async (events) => {
    const answers = await sender.sendAll(events);
    assert.deepEqual([...answers].filter(([, status]) => status !== 200), []);
  };
  const ordered = all.filter(({ one }) => one.inOrder || one.change === 'list.total_count');
  const inInbox = (count) => until(`${count} events are in the inbox (${said})`, async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === String(count), 60000);
  const firsts = ordered.map(({ events }) => events[0]);
  await send(firsts);
  await inInbox(firsts.length);
  const rest = all.flatMap(({ events }) => events).filter((event) => !firsts.includes(event));
  await send(shuffled(rest, random));
  await inInbox(firsts.length + rest.length);
  sender.close();
});
after(() => stack?.stop());

for (const [index, one] of cases.entries()) {
  test(`${one.change} (${one.since}) is the same in both shapes`, async () => {
    if (one.sql) {
      for (const account of ['acct_old', 'acct_new']) assert.deepEqual(await stack.query(one.sql.replaceAll('$account', `'${account}'`)), one.answer, `${account}, ${said}`);
      return;
    }
    for (const table of Object.keys(one.holds)) {
      const key = one.old[0][1].id;
      const column = { billing_subscription_item: 'subscription', billing_invoice_line: 'invoice' }[table] ?? 'id';
      const rows = await stack.query(`SELECT account, to_jsonb(t) - 'account' - 'synced_at' - 'src_event_id' FROM ${table} t WHERE ${column} = '${key}' ORDER BY account DESC`);
      assert.equal(rows.length, 2, `${table} of case ${index} (${said})`);
      const [old, young] = rows.map(([, row]) => JSON.parse(row));
      assert.deepEqual(young, old, `${table} (${said})`);
      for (const [name, value] of Object.entries(one.holds[table])) {
        const got = /^current_period/.test(name) ? Date.parse(old[name]) / 1000 : old[name];
        assert.deepEqual(got, value, `${table}.${name}`);
      }
    }
  });
}

test(`nothing was set aside, and no other row came into being (${said})`, async () => {
  assert.equal(await stack.value('SELECT count(*) FROM sluice_dead_letter'), '0');
  for (const table of tables) {
    const ids = async (account) => stack.query(`SELECT id FROM ${table} WHERE account = '${account}' AND id <> 'in_charged' ORDER BY id`);
    assert.deepEqual(await ids('acct_new'), await ids('acct_old'), table);
  }
});
