// histories - random lives of Stripe objects, many of their events within one second, and the state each life ends in.
//
// Knows Stripe's events, not how they are applied: an *.updated event carries previous_attributes (nested objects hold only what changed, lists are whole), others
// do not, and `created` counts seconds.

// Numbers from a seed (mulberry32), so that a history can be made again.
export function randomFrom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    below: (n) => Math.floor(next() * n),
    one: (list) => list[Math.floor(next() * list.length)],
    chance: (p) => next() < p,
  };
}

export function shuffled(list, random) {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i -= 1) {
    const j = random.below(i + 1);
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

// What changed from `before` to `after`, as Stripe says it.
function previousAttributes(before, after) {
  const changed = {};
  for (const key of Object.keys({ ...before, ...after })) {
    const was = before[key] ?? null;
    const is = after[key] ?? null;
    if (JSON.stringify(was) === JSON.stringify(is)) continue;
    const bothMaps = [was, is].every((value) => value && typeof value === 'object' && !Array.isArray(value)) && key === 'metadata';
    changed[key] = bothMaps ? previousAttributes(was, is) : was;
  }
  return changed;
}

export class Life {
  constructor(object, clock, random, tag) {
    Object.assign(this, { object, clock, random, tag, events: [], count: 0 });
  }

  // Most changes share their second with the one before.
  tick() {
    if (this.random.chance(0.3)) this.clock += 1 + this.random.below(3);
  }

  emit(type, before) {
    this.count += 1;
    const id = `evt_${this.tag}_${String((this.count * 7919) % 1000).padStart(3, '0')}`; // ids are no order
    const data = { object: structuredClone(this.object) };
    if (before) data.previous_attributes = previousAttributes(before, this.object);
    this.events.push({ id, object: 'event', api_version: '2025-08-27.basil', created: this.clock, data, livemode: false, type });
  }

  change(type, change) {
    this.tick();
    const before = structuredClone(this.object);
    change(this.object);
    this.emit(type, before);
  }
}

function customerLife(n, start, random) {
  const life = new Life({ id: `cus_h${n}`, object: 'customer', created: start, email: null, name: `N${n}`, balance: 0, currency: 'eur', metadata: { n: String(n) }, livemode: false }, start, random, `c${n}`);
  life.emit('customer.created');
  for (let i = random.below(7); i > 0; i -= 1) {
    const value = `${n}-${life.count}`;
    life.change('customer.updated', random.one([
      (customer) => { customer.email = `${value}@example.com`; },
      (customer) => { customer.name = value; },
      (customer) => { customer.metadata = { ...customer.metadata, [random.one(['a', 'b'])]: value }; },
      (customer) => { customer.balance += 1; },
    ]));
  }
  if (random.chance(0.15)) {
    life.clock += 1;
    life.emit('customer.deleted');
    life.isDeleted = true;
  }
  return life;
}

function subscriptionLife(n, start, random) {
  const item = (k, quantity) => ({ id: `si_h${n}_${k}`, object: 'subscription_item', created: start, subscription: `sub_h${n}`, quantity, metadata: {}, current_period_start: start, current_period_end: start + 2592000,
    price: { id: `price_${k}`, object: 'price', product: 'prod_1', unit_amount: 100, unit_amount_decimal: '100', currency: 'eur', recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' } } });
  const items = (data) => ({ object: 'list', data, has_more: false });
  const life = new Life({ id: `sub_h${n}`, object: 'subscription', customer: `cus_h${n}`, status: 'incomplete', created: start, currency: 'eur', start_date: start, cancel_at_period_end: false, canceled_at: null, ended_at: null,
    metadata: {}, items: items([item(0, 1)]), livemode: false }, start, random, `s${n}`);
  life.emit('customer.subscription.created');
  if (random.chance(0.8)) life.change('customer.subscription.updated', (subscription) => { subscription.status = 'active'; });
  for (let i = random.below(5); i > 0 && life.object.status === 'active'; i -= 1) {
    const value = life.count;
    life.change('customer.subscription.updated', random.one([
      (subscription) => { subscription.items = items([item(0, 10 + value)]); },
      (subscription) => { subscription.items = items([item(0, 20 + value), item(1 + value, 1)]); },
      (subscription) => { subscription.metadata = { ...subscription.metadata, step: String(value) }; },
    ]));
  }
  if (random.chance(0.4)) {
    life.tick();
    Object.assign(life.object, { status: 'canceled', canceled_at: life.clock, ended_at: life.clock });
    life.emit('customer.subscription.deleted');
    life.isDeleted = true;
  }
  return life;
}

function invoiceLife(n, start, random) {
  const life = new Life({ id: `in_h${n}`, object: 'invoice', customer: `cus_h${n}`, status: 'draft', created: start, currency: 'eur', amount_due: 500, amount_paid: 0, amount_remaining: 500, total: 500, attempt_count: 0, attempted: false,
    number: null, metadata: {}, parent: { type: 'subscription_details', subscription_details: { subscription: `sub_h${n}` } }, lines: { object: 'list', has_more: false, data: [{ id: `il_h${n}`, object: 'line_item', amount: 500, currency: 'eur', invoice: `in_h${n}`, quantity: 1, period: { start, end: start + 1 }, metadata: {} }] },
    status_transitions: {}, livemode: false }, start, random, `i${n}`);
  life.emit('invoice.created');
  if (random.chance(0.5)) life.change('invoice.updated', (invoice) => { invoice.metadata = { note: `n${n}` }; });
  life.change('invoice.updated', (invoice) => { Object.assign(invoice, { status: 'open', number: `H-${n}` }); });
  life.emit('invoice.finalized'); // the same change, said twice
  for (let i = random.below(3); i > 0; i -= 1) {
    life.change('invoice.updated', (invoice) => { Object.assign(invoice, { attempted: true, attempt_count: invoice.attempt_count + 1 }); });
    life.emit('invoice.payment_failed');
  }
  const end = random.one(['paid', 'void', 'open']);
  if (end === 'paid') {
    life.change('invoice.updated', (invoice) => { Object.assign(invoice, { status: 'paid', amount_paid: 500, amount_remaining: 0 }); });
    for (const type of shuffled(['invoice.paid', 'invoice.payment_succeeded'], random)) life.emit(type);
  } else if (end === 'void') {
    life.change('invoice.voided', (invoice) => { invoice.status = 'void'; });
    delete life.events.at(-1).data.previous_attributes;
  }
  return life;
}

// `count` lives of each kind: { events, lives: { customer, subscription, invoice } }, a life being { object, isDeleted }.
export function histories(seed, count, start) {
  const random = randomFrom(seed);
  const lives = { customer: [], subscription: [], invoice: [] };
  for (let n = 0; n < count; n += 1) {
    lives.customer.push(customerLife(n, start, random));
    lives.subscription.push(subscriptionLife(n, start + 5, random));
    lives.invoice.push(invoiceLife(n, start + 5, random));
  }
  return { events: Object.values(lives).flat().flatMap((life) => life.events), lives };
}
