// C9 - the way of what fails is gone while events fail, some once, some at every try, some with an error of a megabyte, of the shop and at the signed door: first the
// bindings of the delays, the parking queues and the last resort (each copy is returned), then the exchanges themselves (404 ends the channel); long, four times each, for longer, and
// half of the times the consumer is deployed meanwhile.
// Expected: no original is acknowledged before its copy has arrived, so each stays where it is; neighbours are applied and spend no attempt; the consumer says what is
// wrong. When the way is there again each goes it: applied once after as many tries as it takes, or one letter, as if nothing had been; what is
// tried a moment before all of the way is there is unrouted, and replayed.
import { customerCreated } from '../integration/lib/events.mjs';
import { consumed } from './lib/applied.mjs';
import { isLong } from './lib/scenario.mjs';
import { neighboursSpendNothing } from './lib/tries.mjs';

const TRIES = 3; // of the shop
const LEVELS = [0, 1, 2, 3]; // of delay, that a wait of some seconds goes by

const sql = `
CREATE OR REPLACE FUNCTION shop_apply(event_id text, body jsonb, attempt integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF body ? 'raise' AND attempt < coalesce((body ->> 'until')::integer, 1000000) THEN
    RAISE EXCEPTION '%', repeat('schön ', coalesce((body ->> 'words')::integer, 1)) USING ERRCODE = body ->> 'raise';
  END IF;
  INSERT INTO shop_applied VALUES (event_id, attempt);
END $$;
CREATE TABLE known_currency(id text PRIMARY KEY);
INSERT INTO known_currency VALUES ('eur');
ALTER TABLE billing_customer ADD CONSTRAINT has_a_real_name CHECK (name <> 'Nobody'), ADD CONSTRAINT knows_its_currency FOREIGN KEY (currency) REFERENCES known_currency;`;

const WORDS = 170000; // more than a megabyte, where all headers together have 4 KiB
const shopKinds = [
  { body: { raise: 'SLRTY', until: 2 } },
  { body: { raise: 'SLRTY', until: 3 } },
  { body: { raise: 'SLRTY' }, wanted: { class: 'item', code: 'SLRTY', attempts: TRIES } },
  { body: { raise: 'SLBAD' }, wanted: { class: 'permanent', code: 'SLBAD', attempts: 1 } },
  { body: { raise: 'SLBAD', words: WORDS }, wanted: { class: 'permanent', code: 'SLBAD', attempts: 1 } },
  { body: { raise: 'SLRTY', until: 2, words: WORDS } },
];

const ways = {
  async bindings({ broker }) {
    for (const queue of ['sluice.shop.parked', 'sluice.billing.parked', 'sluice.unrouted']) await broker.deleteQueue(queue);
    for (const level of LEVELS) await broker.unbind(`sluice.delay.0${level}`, `sluice.delay.0${level}`);
  },
  async exchanges({ broker }) {
    for (const name of ['sluice.parked', ...LEVELS.map((level) => `sluice.delay.0${level}`)]) await broker.deleteExchange(name);
  },
};
const RATE = 80;
const ROUNDS = isLong ? 8 : 2;
const SHOP_EACH = 4; // of each kind, each round
const BILLING = 8; // each round
const NEIGHBOURS = 50;
const ERROR_BYTES_MAX = 512;
const currency = (round) => `c${round}`; // not known before the way is there again
const mayTry = new Map(); // -> the try at which it is applied, if one is said
const noBreaker = 'breaker_ratio = 100%\nbreaker_consecutive = 1000\nbackoff = 1s\n';

await consumed('C9', 'the way to the delays and to the dead letters is gone', {
  rate: RATE,
  shop: { rate: RATE },
  sections: { shop: `${noBreaker}attempts = ${TRIES}\n`, billing: `${noBreaker}attempts = 20\n` },
  beforeStart: (world) => world.stack.query(sql),
}, async (world) => {
  neighboursSpendNothing(world, mayTry);
  await world.warm();
  for (let round = 0; round < ROUNDS; round += 1) {
    const [name, cut] = Object.entries(ways)[round % 2];
    const told = world.stack.linesOf(world.stack.consumer, 'topology.missing').length;
    await world.fault(`no ${name}`, () => cut(world));
    const sent = await fail(world, round);
    await stay(world, name, { sent, told });
    if (round % 4 > 1) await deploy(world);
    await world.stack.sluice('topology', 'apply');
    await world.stack.query(`INSERT INTO known_currency VALUES ('${currency(round)}')`);
    await world.until('each has gone its way', async () => {
      await replayUnrouted(world);
      return (await whereabouts(world)) === mayTry.size;
    }, 90000);
  }
  await world.heal();
  world.atEnd(() => checkLetters(world));
});

// Returns their ids; planted are those that are given up at last.
async function fail(world, round) {
  const sent = [];
  for (let n = 0; n < SHOP_EACH * shopKinds.length; n += 1) {
    const { body, wanted } = shopKinds[n % shopKinds.length];
    const id = await world.shop.publish({ id: `fails_${round}_${n}`, body });
    if (wanted !== undefined) world.plant(id, wanted);
    mayTry.set(id, body.until);
    sent.push(id);
  }
  for (let n = 0; n < BILLING; n += 1) {
    const event = customerCreated(`cus_fails_${round}_${n}`, n % 2 === 0 ? { name: 'Nobody' } : { currency: currency(round) });
    if (n % 2 === 0) world.plant(event.id, { class: 'permanent', code: '23514', attempts: 1 });
    else world.load.expected.push({ customer: [event.data.object.id, '', event.data.object.name] });
    mayTry.set(event.id);
    await world.load.sendAuthentic(world.load.record(event.id, JSON.stringify(event)));
    sent.push(event.id);
  }
  return sent;
}

// Until everybody has seen that the way is gone, and a while more.
async function stay(world, name, { sent, told }) {
  const { stack } = world;
  const of = (event) => stack.linesOf(stack.consumer, event);
  const left = () => [...of('consumer.delayed'), ...of('consumer.dead_lettered')].filter((line) => sent.includes(line.event_id)).length;
  const refused = (subsystem) => (name === 'bindings' ? of('consumer.republish_failed').some((line) => line.subsystem === subsystem && line.reason === 'returned' && sent.includes(line.event_id))
    : of('topology.missing').slice(told).some((line) => line.link.startsWith(subsystem) && line.link.endsWith('.publish')));
  await world.until('the consumer says so', () => refused('shop') && refused('billing'));
  const applied = async () => [await stack.value('SELECT count(*) FROM shop_applied'), await stack.value("SELECT count(*) FROM sluice_inbox WHERE subsystem = 'billing'")].map(Number);
  const before = await applied();
  await world.until('their neighbours go on', async () => (await applied()).every((count, i) => count > before[i] + NEIGHBOURS), 60000);
  await world.hold(world.ms(1000, 20000));
  const held = await world.count(/^sluice_consumer_inflight/, stack.consumerPort);
  world.check(left() === 0 && held >= sent.length, `of ${sent.length} that failed ${left()} are said to have left, ${held} are in hand`);
  world.note(`no ${name}: ${sent.length} failed and stayed; ${of('consumer.republish_failed').length} times refused, ${of('topology.missing').length - told} connections ended`);
}

// What is in hand goes back, and comes again.
async function deploy(world) {
  const { stack } = world;
  const { code } = await stack.terminate(stack.consumer);
  world.check(code === 0, `the consumer ended with ${code}`);
  await stack.startConsumer();
}

// An exchange is there a moment before its bindings: what is tried in that moment is unrouted, and sent again as runbooks/topology.md has it.
async function replayUnrouted(world) {
  const open = Number(await world.stack.value("SELECT count(*) FROM sluice_dead_letter WHERE subsystem = 'unrouted' AND status = 'open'"));
  if (open === 0) return;
  world.note(`${open} were tried a moment before the way was there, and replayed`);
  await world.stack.sluice('dead', 'replay', '--subsystem', 'unrouted', '--limit', '1000', '--canary', '0', '--rate', '1000/s', '--wait', '1s', '--yes', '--reason', 'the way is there again')
    .catch(({ code }) => world.check(code === 75, `the replay ended with ${code}`)); // not all decided yet
}

// How many of those that failed in all are applied or set aside.
async function whereabouts(world) {
  const ids = [...mayTry.keys()].map((id) => `'${id}'`).join();
  return Number(await world.stack.value(`SELECT (SELECT count(*) FROM sluice_inbox WHERE event_id IN (${ids})) + (SELECT count(*) FROM sluice_dead_letter WHERE subsystem <> 'unrouted' AND event_id IN (${ids}))`));
}

// No try was lost or made twice on the way, and what was said of each fits.
async function checkLetters(world) {
  const { stack } = world;
  const wrong = (await stack.query("SELECT event_id, attempt FROM shop_applied WHERE event_id LIKE 'fails_%'")).filter(([id, attempt]) => Number(attempt) !== mayTry.get(id));
  world.check(wrong.length === 0, `applied at another try than was to be: ${wrong.slice(0, 5).join('; ')}`);
  const tries = await stack.query("SELECT event_id, count(DISTINCT attempt), max(attempt), max(octet_length(error)) FROM sluice_attempt WHERE event_id LIKE 'fails_%' GROUP BY 1");
  const odd = tries.filter(([id, count, last, bytes]) => count !== last || Number(last) !== (mayTry.get(id) ?? world.planted.get(id).attempts + 1) - 1 || Number(bytes) > ERROR_BYTES_MAX);
  world.check(odd.length === 0 && tries.length > 0, `${odd.length} of ${tries.length} have other tries: ${odd.slice(0, 3).join('; ')}`);
  const letters = await stack.query("SELECT event_id, octet_length(error), error ~ '^(schön ){20}' FROM sluice_dead_letter WHERE subsystem <> 'unrouted'");
  const wordy = letters.filter(([, , isWordy]) => isWordy === 't').length;
  world.check(wordy === ROUNDS * SHOP_EACH && letters.every(([, bytes]) => Number(bytes) > 0 && Number(bytes) <= ERROR_BYTES_MAX), `${wordy} letters with much to say, ${letters.map(([, bytes]) => bytes)} bytes of error`);
  world.note(`${mayTry.size} failed, ${letters.length} of them letters, ${wordy} with an error of a megabyte`);
}
