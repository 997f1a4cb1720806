// events - histories of customers, subscriptions and invoices in Stripe's current shape, and the rows they must lead to.
//
// Written without looking at how the consumer applies them: each history carries the end state a reader of Stripe's documentation expects.
const filler = 'x'.repeat(600); // brings an event near the size of a real one

function event(id, type, created, object, previous) {
  return {
    id,
    object: 'event',
    api_version: '2025-08-27.basil',
    created,
    data: previous ? { object, previous_attributes: previous } : { object },
    livemode: false,
    pending_webhooks: 1,
    request: { id: `req_${id}`, idempotency_key: null },
    type,
  };
}

// The least that makes a customer's row. object: beside id, time and name.
export function customerCreated(id, object = {}) {
  return { id: `evt_${id}`, type: 'customer.created', created: 1700000000, livemode: false,
    data: { object: { id, object: 'customer', created: 1700000000, name: 'Somebody', ...object } } };
}

// One customer's story: five events, one second apart. n makes every id unique within a run.
export function story(run, n, start) {
  const customerId = `cus_${run}${n}`;
  const subscriptionId = `sub_${run}${n}`;
  const itemId = `si_${run}${n}`;
  const invoiceId = `in_${run}${n}`;
  const amount = 1000 + (n % 977);
  const customer = {
    id: customerId, object: 'customer', created: start, email: null, name: `Customer ${n}`, phone: null, description: filler,
    address: null, balance: 0, currency: 'eur', delinquent: false, invoice_prefix: `P${n}`, livemode: false,
    metadata: { run, n: String(n) }, tax_exempt: 'none', test_clock: null,
  };
  const item = {
    id: itemId, object: 'subscription_item', created: start + 2, subscription: subscriptionId, quantity: 1 + (n % 5), metadata: {},
    current_period_start: start + 2, current_period_end: start + 2 + 2592000,
    price: { id: `price_${n % 7}`, object: 'price', product: `prod_${n % 7}`, unit_amount: amount, unit_amount_decimal: String(amount),
      currency: 'eur', recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' } },
  };
  const subscription = {
    id: subscriptionId, object: 'subscription', customer: customerId, status: 'incomplete', collection_method: 'charge_automatically',
    created: start + 2, currency: 'eur', start_date: start + 2, billing_cycle_anchor: start + 2, cancel_at: null,
    cancel_at_period_end: false, canceled_at: null, ended_at: null, trial_start: null, trial_end: null, latest_invoice: invoiceId,
    livemode: false, metadata: { note: filler }, items: { object: 'list', data: [item], has_more: false },
  };
  const line = {
    id: `il_${run}${n}`, object: 'line_item', amount, currency: 'eur', description: 'One month', invoice: invoiceId, livemode: false,
    metadata: {}, period: { start: start + 2, end: start + 2 + 2592000 }, quantity: 1,
    parent: { type: 'subscription_item_details', subscription_item_details: { subscription: subscriptionId, subscription_item: itemId, proration: false } },
    pricing: { type: 'price_details', price_details: { price: `price_${n % 7}`, product: `prod_${n % 7}` }, unit_amount_decimal: String(amount) },
  };
  const invoice = {
    id: invoiceId, object: 'invoice', customer: customerId, status: 'open', currency: 'eur', created: start + 3, amount_due: amount,
    amount_paid: 0, amount_remaining: amount, subtotal: amount, total: amount, attempt_count: 0, attempted: false,
    billing_reason: 'subscription_create', collection_method: 'charge_automatically', number: `P${n}-0001`, period_start: start,
    period_end: start, livemode: false, metadata: {}, description: filler,
    parent: { type: 'subscription_details', subscription_details: { subscription: subscriptionId, metadata: {} } },
    lines: { object: 'list', data: [line], has_more: false }, status_transitions: { finalized_at: start + 3, paid_at: null, voided_at: null, marked_uncollectible_at: null },
  };
  const email = `customer${n}@example.com`;
  const events = [
    event(`evt_${run}${n}a`, 'customer.created', start, customer),
    event(`evt_${run}${n}b`, 'customer.updated', start + 1, { ...customer, email }, { email: null }),
    event(`evt_${run}${n}c`, 'customer.subscription.created', start + 2, subscription),
    event(`evt_${run}${n}d`, 'invoice.paid', start + 3, { ...invoice, status: 'paid', amount_paid: amount, amount_remaining: 0, attempted: true, attempt_count: 1 }),
    event(`evt_${run}${n}e`, 'customer.subscription.updated', start + 4, { ...subscription, status: 'active' }, { status: 'incomplete' }),
  ];
  const expected = {
    customer: [customerId, email, `Customer ${n}`],
    subscription: [subscriptionId, customerId, 'active'],
    item: [itemId, subscriptionId, `price_${n % 7}`, String(1 + (n % 5))],
    invoice: [invoiceId, customerId, subscriptionId, 'paid', String(amount), String(amount)],
    line: [`il_${run}${n}`, invoiceId, String(amount)],
  };
  return { events, expected };
}

// `count` stories, their events interleaved by a seeded shuffle, so that order never helps.
export function stories(run, count, { seed = 1, start = Math.floor(Date.now() / 1000) - 3600 } = {}) {
  const all = Array.from({ length: count }, (_, n) => story(run, n, start));
  const events = all.flatMap((one) => one.events);
  let state = seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
  for (let i = events.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [events[i], events[j]] = [events[j], events[i]];
  }
  return { events, expected: all.map((one) => one.expected) };
}

export const rowQueries = {
  customer: 'SELECT id, email, name FROM billing_customer',
  subscription: 'SELECT id, customer, status FROM billing_subscription',
  item: 'SELECT id, subscription, price, quantity FROM billing_subscription_item WHERE deleted_at IS NULL',
  invoice: 'SELECT id, customer, subscription, status, amount_due, amount_paid FROM billing_invoice',
  line: 'SELECT id, invoice, amount FROM billing_invoice_line WHERE deleted_at IS NULL',
};

// Differences between what is stored and what must be, as sentences; empty when all rows are right.
export async function wrongRows(stack, expected) {
  const wrong = [];
  for (const [kind, sql] of Object.entries(rowQueries)) {
    const stored = new Map((await stack.query(sql)).map((row) => [row[0], row.join('\t')]));
    for (const one of expected.filter((whole) => whole[kind] !== undefined)) {
      const right = one[kind].join('\t');
      const got = stored.get(one[kind][0]);
      if (got !== right) wrong.push(`${kind}: expected ${right}, found ${got}`);
      stored.delete(one[kind][0]);
    }
    for (const extra of stored.values()) wrong.push(`${kind}: unexpected row ${extra}`);
  }
  return wrong;
}
