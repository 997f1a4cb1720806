// recorded - lives as Stripe tells them, one for each turn that a customer, a subscription or an invoice can take; the events of a turn share their second.
//
// Each is a list of steps: [seconds since the one before, type, what changes]. A step of an *.updated type says what was before (previous_attributes), the others say nothing,
// and a fact that is told twice is told with the same object. { stub: true }: the event carries no more than the id.
// Sources: docs.stripe.com/billing/subscriptions/overview, /billing/subscriptions/webhooks, /invoicing/overview, /payments/checkout/how-checkout-works.
import { Life, shuffled } from './histories.mjs';

const month = 2592000;
const items = (n, start, quantities) => ({ object: 'list', has_more: false, data: quantities.map((quantity, k) => ({ id: `si_r${n}_${k}`, object: 'subscription_item', created: start, subscription: `sub_r${n}`, quantity, metadata: {},
  current_period_start: start, current_period_end: start + month, price: { id: `price_${k}`, object: 'price', product: 'prod_1', unit_amount: 100, unit_amount_decimal: '100', currency: 'eur', recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' } } })) });

const customers = {
  'deleted with a stub, and changed a moment before': [
    [0, 'customer.created', {}], [0, 'customer.updated', { email: 'a@example.com' }], [2, 'customer.updated', { email: 'b@example.com' }], [0, 'customer.updated', { balance: 7 }],
    [1, 'customer.deleted', {}, { stub: true, ends: true }]],
  'deleted with the whole object in the second of a change': [
    [0, 'customer.created', {}], [5, 'customer.updated', { name: 'last' }], [0, 'customer.deleted', {}, { ends: true }]],
  'metadata set, changed and taken away within a second': [
    [0, 'customer.created', {}], [3, 'customer.updated', { metadata: { a: '1' } }], [0, 'customer.updated', { metadata: { a: '2' } }], [0, 'customer.updated', { metadata: { a: '2', b: '1' } }], [0, 'customer.updated', { metadata: { b: '1' } }]],
};

const subscriptions = {
  'checkout: paid in the second it was made': [
    [0, 'customer.subscription.created', { status: 'incomplete' }], [0, 'customer.subscription.updated', { status: 'active' }], [0, 'customer.subscription.updated', { metadata: { step: 'default payment method' } }]],
  'never paid': [
    [0, 'customer.subscription.created', { status: 'incomplete' }], [1, 'customer.subscription.updated', { metadata: { step: '1' } }], [82800, 'customer.subscription.updated', { status: 'incomplete_expired' }, { ends: true }]],
  'a trial ends without a card, and goes on later': [
    [0, 'customer.subscription.created', { status: 'trialing' }], [1000, 'customer.subscription.trial_will_end', {}], [500, 'customer.subscription.updated', { status: 'paused' }], [0, 'customer.subscription.paused', {}],
    [900, 'customer.subscription.updated', { status: 'active' }], [0, 'customer.subscription.resumed', {}]],
  'dunning to the end': [
    [0, 'customer.subscription.created', { status: 'active' }], [100, 'customer.subscription.updated', { status: 'past_due' }], [100, 'customer.subscription.updated', { status: 'unpaid' }],
    [0, 'customer.subscription.updated', { metadata: { step: 'told' } }], [1, 'customer.subscription.deleted', { status: 'canceled', canceled_at: 1, ended_at: 1 }, { ends: true }]],
  'canceled at the period end, taken back, and canceled at once': [
    [0, 'customer.subscription.created', { status: 'active' }], [9, 'customer.subscription.updated', { cancel_at_period_end: true }], [0, 'customer.subscription.updated', { cancel_at_period_end: false }],
    [0, 'customer.subscription.updated', { cancel_at_period_end: true }], [0, 'customer.subscription.deleted', { status: 'canceled', canceled_at: 1, ended_at: 1 }, { ends: true }]],
  'an upgrade: items come, change and go within a second': [
    [0, 'customer.subscription.created', { status: 'active' }], [7, 'customer.subscription.updated', { items: [1, 1] }], [0, 'customer.subscription.updated', { items: [2, 1, 4] }], [0, 'customer.subscription.updated', { items: [2] }],
    [0, 'customer.subscription.pending_update_applied', {}]],
  'an update that was never paid for': [
    [0, 'customer.subscription.created', { status: 'active' }], [7, 'customer.subscription.updated', { metadata: { step: 'pending' } }], [300, 'customer.subscription.updated', { metadata: {} }], [0, 'customer.subscription.pending_update_expired', {}]],
};

const invoices = {
  'a draft is thrown away': [
    [0, 'invoice.created', {}], [2, 'invoice.updated', { metadata: { note: 'x' } }], [2, 'invoice.deleted', {}, { ends: true }]],
  'paid in the second it was made': [
    [0, 'invoice.created', {}], [0, 'invoice.updated', { status: 'open', number: 'R-1' }], [0, 'invoice.finalized', {}], [0, 'invoice.updated', { status: 'paid', amount_paid: 500, amount_remaining: 0, attempted: true, attempt_count: 1 }],
    [0, 'invoice.paid', {}], [0, 'invoice.payment_succeeded', {}]],
  'sent, overdue, tried twice, and paid with a second factor': [
    [0, 'invoice.created', {}], [1, 'invoice.updated', { status: 'open', number: 'R-2' }], [0, 'invoice.finalized', {}], [0, 'invoice.sent', {}], [5, 'invoice.will_be_due', {}], [5, 'invoice.overdue', {}],
    [2, 'invoice.updated', { attempted: true, attempt_count: 1 }], [0, 'invoice.payment_failed', {}], [2, 'invoice.updated', { attempt_count: 2 }], [0, 'invoice.payment_failed', {}], [0, 'invoice.payment_action_required', {}],
    [3, 'invoice.updated', { status: 'paid', amount_paid: 500, amount_remaining: 0, attempt_count: 3 }], [0, 'invoice.paid', {}]],
  'given up, and paid all the same': [
    [0, 'invoice.created', {}], [1, 'invoice.updated', { status: 'open', number: 'R-3' }], [3, 'invoice.updated', { status: 'uncollectible' }], [0, 'invoice.marked_uncollectible', {}],
    [4, 'invoice.updated', { status: 'paid', amount_paid: 500, amount_remaining: 0 }], [0, 'invoice.paid', {}], [0, 'invoice.overpaid', {}], [9, 'invoice.updated', { metadata: { note: 'credited' } }]],
  'void in the second it was opened': [
    [0, 'invoice.created', {}], [2, 'invoice.updated', { status: 'open', number: 'R-4' }], [0, 'invoice.finalized', {}], [0, 'invoice.updated', { status: 'void' }], [0, 'invoice.voided', {}]],
  'could not be finalized, then could': [
    [0, 'invoice.created', {}], [1, 'invoice.finalization_failed', {}], [60, 'invoice.updated', { status: 'open', number: 'R-5' }], [0, 'invoice.finalized', {}], [0, 'invoice.payment_attempt_required', {}]],
};

function live(kind, object, steps, start, random, tag) {
  const life = new Life(object, start, random, tag);
  for (const [after, type, change, { stub, ends } = {}] of steps) {
    life.clock += after;
    const before = structuredClone(life.object);
    for (const [name, value] of Object.entries(change)) life.object[name] = name === 'items' ? items(tag.slice(2), start, value) : value;
    life.emit(type, type.endsWith('.updated') ? before : undefined);
    const { data } = life.events.at(-1);
    if (stub) data.object = { id: object.id, object: kind, deleted: true };
    if (ends) life.isDeleted = true;
  }
  return life;
}

// { customer, subscription, invoice }: lives as histories() has them. Which id belongs to which turn changes with the seed.
export function recorded(random, start) {
  const each = (kind, turns, make) => shuffled(Object.entries(turns), random).map(([turn, steps], n) => Object.assign(live(kind, make(n), steps, start, random, `r${kind[0]}${n}`), { turn }));
  return {
    customer: each('customer', customers, (n) => ({ id: `cus_r${n}`, object: 'customer', created: start, email: null, name: `R${n}`, balance: 0, currency: 'eur', metadata: {}, livemode: false })),
    subscription: each('subscription', subscriptions, (n) => ({ id: `sub_r${n}`, object: 'subscription', customer: `cus_r${n}`, status: 'incomplete', created: start, currency: 'eur', start_date: start, cancel_at_period_end: false, canceled_at: null,
      ended_at: null, metadata: {}, items: items(n, start, [1]), livemode: false })),
    invoice: each('invoice', invoices, (n) => ({ id: `in_r${n}`, object: 'invoice', customer: `cus_r${n}`, status: 'draft', created: start, currency: 'eur', amount_due: 500, amount_paid: 0, amount_remaining: 500, total: 500, attempt_count: 0, attempted: false,
      number: null, metadata: {}, parent: { type: 'subscription_details', subscription_details: { subscription: `sub_r${n}` } }, lines: { object: 'list', has_more: false, data: [{ id: `il_r${n}`, object: 'line_item', amount: 500, currency: 'eur',
        invoice: `in_r${n}`, quantity: 1, period: { start, end: start + 1 }, metadata: {} }] }, status_transitions: {}, livemode: false })),
  };
}
