// event - `sluice event show` and `event find` on events that were applied, stale, tried again, given up and replayed, and on one nobody knows.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { FakeStripe } from '../support/fake_stripe.mjs';

const subsystems = `
[billing]
handler = billing
bindings = stripe.#

[shop]
handler = sql
function = shop_apply
bindings = stripe.customer.#
attempts = 2
backoff = 1s
`;
const sql = `
CREATE FUNCTION shop_apply(event_id text, object text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF object = 'cus_bad' AND NOT EXISTS (SELECT FROM pg_class WHERE relname = 'shop_is_mended') THEN
    RAISE EXCEPTION 'no shelf for it' USING ERRCODE = '23503';
  END IF;
END $$`;

const customer = (id, object, created) => JSON.stringify({ id, object: 'event', type: 'customer.updated', created, livemode: false,
  data: { object: { id: object, object: 'customer', email: `${id}@example.com`, created: 1700000000 } } });

let stack;
let sender;

before(async () => {
  stack = await Stack.start('event', { subsystems, sql });
  sender = new Sender(stack);
  for (const [id, object, created] of [['evt_new', 'cus_good', 1700000200], ['evt_old', 'cus_good', 1700000100], ['evt_bad', 'cus_bad', 1700000300]]) {
    assert.equal((await sender.signed(customer(id, object, created))).status, 200);
    await until(`${id} is in the inbox of billing`, async () => (await stack.value(`SELECT count(*) FROM sluice_inbox WHERE event_id = '${id}' AND subsystem = 'billing'`)) === '1');
  }
  await until('shop has the others', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE subsystem = 'shop'")) === '2');
  await until('one was given up, and both of its tries are written', async () => (await stack.value(
    'SELECT (SELECT count(*) FROM sluice_dead_letter) + (SELECT count(*) FROM sluice_attempt)')) === '3', 60000);
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

// {status, stdout, stderr}
const sluice = (...args) => stack.tool(args);
const story = async (id) => JSON.parse((await sluice('event', 'show', id, '-o', 'json')).stdout);

test('an event that was applied, and one that came too late', async () => {
  const fresh = await story('evt_new');
  assert.deepEqual(fresh.subsystems.map(({ subsystem, state }) => [subsystem, state]), [['billing', 'applied'], ['shop', 'applied']]);
  assert.deepEqual(fresh.story.map(({ place, what }) => `${place} ${what}`).sort(), ['billing applied', 'publisher published', 'publisher received', 'shop applied']);
  assert.deepEqual(fresh.story.slice(0, 2).map(({ what }) => what), ['received', 'published']);
  assert.equal(fresh.story[0].detail, 'customer.updated of stripe, about cus_good, test mode');
  const late = await story('evt_old');
  assert.deepEqual(late.subsystems.map(({ subsystem, state }) => [subsystem, state]), [['billing', 'stale'], ['shop', 'applied']]);
});

test('one that was tried twice and given up by one subsystem alone; replayed, its story goes on', async () => {
  const { subsystems: standing, story: told } = await story('evt_bad');
  assert.deepEqual(standing.map(({ subsystem, state, failed_tries: tries }) => [subsystem, state, tries]), [['billing', 'applied', 0], ['shop', 'given up', 2]]);
  const ofShop = told.filter(({ place }) => place === 'shop').map(({ what, detail }) => `${what}: ${detail}`);
  assert.equal(ofShop.length, 3);
  assert.match(ofShop[0], /^try 1 failed: item 23503 no shelf for it.* \(next try 20\d\d-/);
  assert.match(ofShop[1], /^try 2 failed: item 23503 no shelf for it(?!.*next try)/);
  assert.match(ofShop[2], /^dead letter \d+: exhausted 23503/);

  await stack.query('CREATE TABLE shop_is_mended()');
  const letter = await stack.value('SELECT id FROM sluice_dead_letter');
  assert.equal((await sluice('dead', 'replay', letter, '--yes', '--reason', 'a shelf was built')).status, 0);
  const after = await story('evt_bad');
  assert.match(after.subsystems.find(({ subsystem }) => subsystem === 'shop').state, /^(applied|replayed)$/);
  assert.ok(after.story.some(({ what }) => what === `letter ${letter} replayed`), JSON.stringify(after.story));
});

test('for people: what became of it, then what happened', async () => {
  const { status, stdout } = await sluice('event', 'show', 'evt_bad');
  assert.equal(status, 0);
  const [standing, happened] = stdout.split('\n\n');
  assert.match(standing, /^SUBSYSTEM +STATE +FAILED TRIES +NEXT TRY +DEAD LETTER\nbilling +applied +0\n/);
  assert.match(happened, /^TIME +WHERE +WHAT +DETAIL\n20\S+Z +publisher +received +customer\.updated of stripe, about cus_bad, test mode\n/);
});

test('one that nobody knows is not called absent', async () => {
  const { status, stdout, stderr } = await sluice('event', 'show', 'evt_never');
  assert.deepEqual([status, stdout], [66, '']);
  assert.match(stderr, /nothing is known of evt_never: no table has it, and no journal or drop log here/);
  await until('what others have in hand is settled, and it is said that it cannot be there', async () =>
    /nothing waits in the broker, nothing is in hand and nothing is delayed\nso: not in the broker; a journal of another machine's publisher may have it/.test((await sluice('event', 'show', 'evt_never')).stderr));
});

test('events are found by object, type, verdict and time', async () => {
  const find = async (...args) => JSON.parse((await sluice('event', 'find', ...args, '-o', 'json')).stdout).map(({ event, subsystem }) => `${event} ${subsystem}`);
  assert.deepEqual(await find('--object', 'cus_good', '--subsystem', 'billing'), ['evt_old billing', 'evt_new billing']);
  assert.deepEqual(await find('--verdict', 'stale'), ['evt_old billing']);
  assert.equal((await find('--type', 'customer.*', '--since', '1h')).length, 6);
  assert.deepEqual(await find('--type', 'invoice.*'), []);
  assert.deepEqual(await find('--until', '2020-01-01'), []);
  assert.equal((await find('--object', 'cus_good', '--limit', '1')).length, 1);
  const { status, stderr } = await sluice('event', 'find', '--verdict', 'aplied');
  assert.equal(status, 64);
  assert.match(stderr, /--verdict takes applied, stale/);
});

test('of one that waits in the broker the evidence is said, Stripe\'s too, and nothing is taken out to look', async () => {
  const stripe = await FakeStripe.start();
  try {
    const ask = async (id, extra = {}) => {
      const { status, stdout, stderr } = await stack.tool(['event', 'show', id, '-o', 'json'], { STRIPE_API_BASE: stripe.url, STRIPE_API_KEY: stripe.key, ...extra });
      assert.equal(status, 66, stderr);
      return { stderr, ...JSON.parse(stdout).evidence };
    };
    const created = Math.floor(Date.now() / 1000) - 60;
    stripe.addEvents([{ id: 'evt_waits', created, type: 'invoice.paid', pending_webhooks: 0 }, { id: 'evt_due', created, type: 'invoice.paid', pending_webhooks: 1 }]);
    await sluice('queue', 'pause', 'billing');
    assert.equal((await sender.signed(JSON.stringify({ id: 'evt_waits', object: 'event', type: 'product.created', created, livemode: false, data: { object: { id: 'prod_1', object: 'product' } } }))).status, 200);
    await until('it waits', async () => (await ask('evt_waits')).waiting === 1);
    const waits = await ask('evt_waits');
    assert.deepEqual([waits.verdict, waits.stripe, waits.pending_webhooks], ['received, waits', 'known', 0]);
    assert.ok(waits.happened_s_ago >= 60);
    assert.match(waits.stderr, /it may be one of these, a broker cannot be searched: 1 wait.*\nStripe has it, it happened \d+ s ago, and every endpoint it goes to has answered 2xx\nso: received, waits; when it does not come: sluice reconcile stripe/);
    assert.equal((await ask('evt_due')).verdict, 'not delivered yet');
    assert.equal((await ask('evt_other')).verdict, 'not known to Stripe');
    const unasked = await ask('evt_waits', { STRIPE_API_KEY: '' });
    assert.deepEqual([unasked.verdict, unasked.stripe, unasked.pending_webhooks], ['waits or never came', 'not asked', null]);
    await sluice('queue', 'resume', 'billing');
    await until('it is applied', async () => (await sluice('event', 'show', 'evt_waits')).status === 0);
    assert.equal((await story('evt_waits')).evidence, undefined);
  } finally {
    await stripe.stop();
  }
});
