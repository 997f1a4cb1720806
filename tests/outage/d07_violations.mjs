// D7 - rows that a constraint forbids, of every kind, among good ones and under load, in a function in SQL and in the billing tables.
// Expected: what can never pass is set aside at its first try; a key that is taken at its second; what misses its parent when its tries are spent, or it is applied
// if the parent has come. The inbox row of each goes with its transaction, so it can be replayed when the constraint is gone. Neighbours are
// applied and spend no try.
import { consumed } from './lib/applied.mjs';
import { neighboursSpendNothing, triesOf } from './lib/tries.mjs';

const TRIES = 3; // of the shop
const WAITS_MS_MAX = 120000;
const GOOD_BETWEEN = 10; // of the shop
const ROUND = 24; // bad ones until the parent of those that miss one comes: before their tries are minutes apart

const sql = `
CREATE TABLE shop_currency(id text PRIMARY KEY);
INSERT INTO shop_currency VALUES ('eur');
CREATE TABLE shop_order(event_id text NOT NULL, quantity integer, buyer text NOT NULL, currency text REFERENCES shop_currency, seat text UNIQUE, room text, label text,
  CONSTRAINT at_least_one CHECK (quantity > 0), EXCLUDE USING btree (room WITH =));
INSERT INTO shop_order VALUES ('before', 1, 'somebody', 'eur', 'taken', 'taken');
CREATE OR REPLACE FUNCTION shop_apply(event_id text, body jsonb, attempt integer) RETURNS void LANGUAGE sql BEGIN ATOMIC
  INSERT INTO shop_applied VALUES (event_id, attempt);
  INSERT INTO shop_order VALUES (event_id, (body ->> 'quantity')::integer, body ->> 'buyer', body ->> 'currency', body ->> 'seat', body ->> 'room',
    convert_from(decode(body ->> 'label', 'hex'), 'UTF8'));
END;
CREATE TABLE known_currency(id text PRIMARY KEY);
INSERT INTO known_currency VALUES ('eur');
ALTER TABLE billing_customer ADD CONSTRAINT has_a_real_name CHECK (name <> 'Nobody'), ALTER currency SET NOT NULL,
  ADD CONSTRAINT knows_its_currency FOREIGN KEY (currency) REFERENCES known_currency;`;

const good = { quantity: 1, buyer: 'somebody', currency: 'eur', label: '68c3a9' };
const permanent = (code) => ({ class: 'permanent', code, attempts: 1 });
const exhausted = (code) => ({ class: 'item', code, attempts: TRIES });
const shopKinds = [
  { body: { quantity: 0 }, wanted: permanent('23514') },
  { body: { buyer: null }, wanted: permanent('23502') },
  { body: { room: 'taken' }, wanted: permanent('23P01') },
  { body: { quantity: 'several' }, wanted: permanent('22P02') },
  { body: { quantity: '99999999999' }, wanted: permanent('22003') },
  { body: { label: 'ff' }, wanted: permanent('22021') },
  { body: { currency: 'nobody\'s' }, wanted: exhausted('23503') },
  { body: { seat: 'taken' }, wanted: { class: 'permanent', code: '23505', attempts: 2 } }, // tried once more only: it may have met itself
];
const billingKinds = [
  { customer: { name: 'Nobody' }, wanted: permanent('23514') },
  { customer: { currency: null }, wanted: permanent('23502') },
  { customer: { currency: 'new' } }, // one in each round, which is known at its end
];

// How many bad ones there are among the good depends on the machine: breakers are not looked at.
const noBreaker = 'breaker_ratio = 100%\nbreaker_consecutive = 1000\nbackoff = 1s\n';
const sections = { shop: `${noBreaker}attempts = ${TRIES}\n`, billing: `${noBreaker}attempts = 10\n` };
const shop = { next: () => ({ body: good }) };
const mayTry = new Set(); // and be applied then
const parentless = []; // of this round
const newCurrency = (n) => `new${Math.floor(n / ROUND)}`;

await consumed('D7', 'rows that a constraint forbids', { sections, shop, beforeStart: (world) => world.stack.query(sql) }, async (world) => {
  neighboursSpendNothing(world, mayTry);
  await world.warm();
  await world.fault('violations');
  for (let n = 0; n < world.ms(24, 240); n += 1) {
    const kind = shopKinds[n % shopKinds.length];
    world.plant(await world.shop.publish({ id: `bad_${n}`, body: { ...good, ...kind.body } }), kind.wanted);
    if (n % 2 === 0) await sendCustomer(world, n, billingKinds[(n / 2) % billingKinds.length]);
    const enough = world.shop.count + GOOD_BETWEEN;
    await world.until('good ones go on', () => world.shop.count >= enough);
    if (n % ROUND === ROUND - 1) await parentComes(world, n);
  }
  await world.heal();
  await replay(world);
});


async function parentComes(world, n) {
  const ids = parentless.splice(0).map((id) => `'${id}'`);
  await world.until('those without a parent were tried', async () => (await triesOf(world, `code = '23503' AND attempt = 1 AND event_id IN (${ids})`)) >= ids.length, WAITS_MS_MAX);
  await world.stack.query(`INSERT INTO known_currency VALUES ('${newCurrency(n)}')`);
}

async function sendCustomer(world, n, { customer, wanted }) {
  const id = `evt_planted${n}`;
  const object = { id: `cus_planted${n}`, object: 'customer', created: 1700000000, name: `Planted ${n}`, email: null, currency: 'eur', livemode: false, ...customer };
  if (customer.currency === 'new') object.currency = newCurrency(n);
  const type = n % 4 === 0 ? 'customer.created' : 'customer.updated';
  const event = world.load.record(id, JSON.stringify({ id, object: 'event', type, created: 1700000000, livemode: false, data: { object } }));
  if (wanted === undefined) {
    mayTry.add(id);
    parentless.push(id);
    world.load.expected.push({ customer: [object.id, '', object.name] });
  } else {
    world.plant(id, wanted);
  }
  await world.load.sendAuthentic(event);
}

// The constraint is gone, and with it the reason: as if they came for the first time.
async function replay(world) {
  const codes = "error_code = '23514' AND subsystem = 'shop'";
  const ids = [...world.planted].filter(([id, wanted]) => id.startsWith('bad_') && wanted.code === '23514').map(([id]) => id);
  await world.until('they are set aside', async () => Number(await world.stack.value(`SELECT count(*) FROM sluice_dead_letter WHERE ${codes}`)) === ids.length);
  await world.stack.query('ALTER TABLE shop_order DROP CONSTRAINT at_least_one');
  await world.stack.sluice('dead', 'replay', '--subsystem', 'shop', '--code', '23514', '--limit', '500', '--reason', 'the constraint is gone', '--yes')
    .catch(({ code }) => world.check(code === 75, `the replay ended with ${code}`)); // not all decided yet
  for (const id of ids) {
    world.planted.delete(id);
    mayTry.add(id);
  }
  world.note(`${ids.length} of them replayed when the constraint was gone`);
}
