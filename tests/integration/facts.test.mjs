// facts - state and facts are two things: an event that comes too late changes no row, is on record all the same, and everybody else hears of it. Test clocks live in their own time.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { randomFrom, shuffled } from './lib/histories.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const SEED = Number(process.env.SLUICE_TEST_SEED ?? Date.now() % 1000000);
const AT = Math.floor(Date.now() / 1000) - 3600;
const subsystems = `
[billing]
handler = billing
bindings = stripe.#

[listener]
handler = sql
function = hear
bindings = stripe.customer.#, stripe.invoice.#
`;
const sql = `CREATE TABLE heard(event_id text PRIMARY KEY, type text);
CREATE FUNCTION hear(event_id text, type text) RETURNS void LANGUAGE sql AS $$ INSERT INTO heard VALUES (event_id, type) $$;`;
let stack;
let sender;

before(async () => {
  stack = await Stack.start('facts', { subsystems, sql });
  sender = new Sender(stack, { connections: 8 });
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const event = (id, type, created, object, previous) => ({ id, object: 'event', type, created, livemode: false, data: previous ? { object, previous_attributes: previous } : { object } });
const customer = (id, more) => ({ id, object: 'customer', created: AT - 50, livemode: false, metadata: {}, ...more });
const verdict = (id) => stack.value(`SELECT verdict FROM sluice_inbox WHERE subsystem = 'billing' AND event_id = '${id}'`);
const row = () => stack.value("SELECT to_jsonb(c) FROM billing_customer c WHERE id = 'cus_1'");
async function tell(events) {
  const answers = await sender.sendAll(events);
  assert.deepEqual([...answers].filter(([, status]) => status !== 200), []);
  for (const { id } of events) await until(`${id} is on record`, () => verdict(id));
}

test('a late event changes no column, is on record as stale with its bytes, and reaches the other subscribers', async () => {
  await tell([event('evt_now', 'customer.updated', AT, customer('cus_1', { name: 'now' }), { name: 'before' })]);
  const was = await row();
  const late = [event('evt_created', 'customer.created', AT - 50, customer('cus_1', { name: 'first' })), event('evt_before', 'customer.updated', AT - 1, customer('cus_1', { name: 'before' }), { name: 'first' })];
  await tell(late);
  assert.equal(await row(), was, 'not even the time of the last change');
  for (const one of late) {
    assert.equal(await verdict(one.id), 'stale');
    assert.deepEqual(JSON.parse(await stack.value(`SELECT convert_from(body, 'UTF8') FROM sluice_inbox WHERE subsystem = 'billing' AND event_id = '${one.id}'`)), one);
  }
  await until('the listener heard all three', async () => (await stack.value('SELECT count(*) FROM heard')) === '3');
  assert.deepEqual((await stack.query('SELECT event_id FROM heard ORDER BY 1')).flat(), ['evt_before', 'evt_created', 'evt_now']);
  await until('they are counted', async () => (await stack.metric('sluice_consumer_deliveries_total{subsystem="billing",outcome="stale"}', stack.consumerPort)) >= 2);
});

test('a notice about what is older changes nothing, and is heard', async () => {
  const invoice = (more) => ({ id: 'in_1', object: 'invoice', created: AT - 50, livemode: false, metadata: {}, ...more });
  await tell([event('evt_paid', 'invoice.paid', AT, invoice({ status: 'paid', amount_paid: 5 }))]);
  await tell([event('evt_overdue', 'invoice.overdue', AT - 5, invoice({ status: 'open', amount_paid: 0 })), event('evt_failed', 'invoice.payment_failed', AT, invoice({ status: 'open', amount_paid: 0 }))]);
  assert.deepEqual(await stack.query("SELECT status, amount_paid FROM billing_invoice WHERE id = 'in_1'"), [['paid', '5']]);
  assert.deepEqual([await verdict('evt_overdue'), await verdict('evt_failed')], ['stale', 'stale']);
  await until('the listener heard both', async () => (await stack.value("SELECT count(*) FROM heard WHERE event_id IN ('evt_overdue', 'evt_failed')")) === '2');
});

test(`a test clock that runs ahead: a hundred events of one simulated second end right, and enter no lag (seed ${SEED})`, async () => {
  const simulated = Math.floor(Date.now() / 1000) + 90 * 24 * 3600;
  const clocked = (n) => customer('cus_clock', { test_clock: 'clock_1', balance: n });
  const events = Array.from({ length: 100 }, (_, n) => event(`evt_clock_${n}`, 'customer.updated', simulated, clocked(n + 1), { balance: n }));
  await tell(shuffled(events, randomFrom(SEED)));
  assert.deepEqual(await stack.query("SELECT balance, test_clock, extract(epoch FROM src_created)::bigint FROM billing_customer WHERE id = 'cus_clock'"), [['100', 'clock_1', String(simulated)]]);
  await tell([event('evt_real', 'customer.updated', AT + 10, customer('cus_1', { name: 'later' }), { name: 'now' })]);
  assert.equal(JSON.parse(await row()).name, 'later');
  const sum = await stack.metric('sluice_event_lag_seconds_sum{subsystem="billing"}', stack.consumerPort);
  assert.ok(sum >= 0 && sum < 3600, `${sum} s of lag`);
  const oldest = await stack.metric('sluice_queue_oldest_timestamp_seconds{subsystem="billing"}', stack.consumerPort) ?? 0;
  assert.ok(oldest <= Date.now() / 1000 + 5);
});
