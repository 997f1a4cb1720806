// order - whatever order the events of a history arrive in, and however often, the tables end the same, and right.
//
// Random lives, and those that Stripe's documentation tells of (recorded.mjs). Many of their events share their second, where Stripe's `created` says nothing. Each order is told about an account of its own, so that one stack hears them all.
// A failure names its seed; SLUICE_TEST_SEED tells that history again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { histories, randomFrom, shuffled } from './lib/histories.mjs';
import { recorded } from './lib/recorded.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const isLong = process.env.TEST_LONG === '1';
const SEED = Number(process.env.SLUICE_TEST_SEED ?? (isLong ? Date.now() % 1000000 : 1));
const LIVES = isLong ? 200 : 40; // of each kind
const ORDERS = isLong ? 12 : 4;
const START = Math.floor(Date.now() / 1000) - 3600;
const said = `seed ${SEED}`;

const { events, lives } = histories(SEED, LIVES, START);
for (const [kind, told] of Object.entries(recorded(randomFrom(SEED + 2), START))) {
  lives[kind].push(...told);
  events.push(...told.flatMap((life) => life.events));
}
let stack;

before(async () => {
  stack = await Stack.start('order');
  const random = randomFrom(SEED + 1);
  for (let order = 0; order < ORDERS; order += 1) {
    const account = `acct_${order}`;
    const repeated = events.filter(() => random.chance(0.2));
    const sender = new Sender(stack, { connections: [1, 8, 64, 3][order % 4] });
    const answers = await sender.sendAll(shuffled([...events, ...repeated], random).map((event) => ({ ...event, account })));
    sender.close();
    assert.deepEqual([...answers.values()].filter((status) => status !== 200), []);
  }
  await until('every event is in the inbox', async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === String(events.length * ORDERS), 120000);
});
after(() => stack?.stop());

// Of a child that is gone, what is left is a trace: one that came and went between two events that arrived the other way round leaves none.
const present = { customer: 'true', subscription: 'true', subscription_item: 'deleted_at IS NULL', invoice: 'true', invoice_line: 'deleted_at IS NULL' };
for (const [table, condition] of Object.entries(present)) {
  test(`every order leaves the same rows in billing_${table} (${said})`, async () => {
    const rows = await stack.query(`
      SELECT id, count(*), count(DISTINCT to_jsonb(t) - 'account' - 'synced_at')
        FROM billing_${table} t WHERE ${condition} GROUP BY id HAVING count(*) <> ${ORDERS} OR count(DISTINCT to_jsonb(t) - 'account' - 'synced_at') <> 1`);
    assert.deepEqual(rows, []);
  });
}

test(`customers end as they were left (${said})`, async () => {
  const expected = lives.customer.map(({ object, isDeleted }) => [object.id, object.email ?? '', object.name, String(object.balance), object.metadata.a ?? '', object.metadata.b ?? '', isDeleted ? 't' : 'f'].join('|'));
  const rows = await stack.query(`SELECT id, coalesce(email, ''), name, balance, coalesce(metadata->>'a', ''), coalesce(metadata->>'b', ''), deleted_at IS NOT NULL
                                    FROM billing_customer WHERE account = 'acct_0'`);
  assert.deepEqual(rows.map((row) => row.join('|')).sort(), expected.sort());
});

test(`subscriptions and their items end as they were left (${said})`, async () => {
  const expected = lives.subscription.map(({ object, isDeleted }) => [object.id, object.status, object.metadata.step ?? '', isDeleted ? 't' : 'f',
    object.items.data.map((item) => `${item.id}:${item.quantity}`).sort().join(' ')].join('|'));
  const rows = await stack.query(`
    SELECT s.id, s.status, coalesce(s.metadata->>'step', ''), s.deleted_at IS NOT NULL,
           (SELECT string_agg(i.id || ':' || i.quantity, ' ' ORDER BY i.id COLLATE "C") FROM billing_subscription_item i
             WHERE i.account = s.account AND i.subscription = s.id AND i.deleted_at IS NULL)
      FROM billing_subscription s WHERE s.account = 'acct_0'`);
  assert.deepEqual(rows.map((row) => row.join('|')).sort(), expected.sort());
});

test(`invoices end as they were left (${said})`, async () => {
  const expected = lives.invoice.map(({ object }) => [object.id, object.status, object.number, String(object.amount_paid), String(object.attempt_count), object.metadata.note ?? ''].join('|'));
  const rows = await stack.query(`SELECT id, status, number, amount_paid, attempt_count, coalesce(metadata->>'note', '') FROM billing_invoice WHERE account = 'acct_0'`);
  assert.deepEqual(rows.map((row) => row.join('|')).sort(), expected.sort());
});
