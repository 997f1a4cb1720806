// applied - the consumer's half of the ledger: what became of each event behind the broker. Each is applied exactly once, or set aside exactly as it was to be.
//
//   await consumed('C7', '…', { consumer: {…} }, async (world) => { await world.warm(); … world.plant(key, {…}); … })
//
// A scenario (lib/scenario.mjs, with all it is held to) in which two subsystems are fed at once: `billing` through the signed door, and `shop`, a function in
// SQL, by a producer straight onto the exchange (events of the programs' own door are the shop's too). The function writes each event into a table without any
// key, so whoever applies it twice is seen.
// What is to be given up is planted: by the event's id, or, for what holds no event, by its bytes (keyOf).
import { createHash } from 'node:crypto';
import { Producer } from '../../integration/lib/producer.mjs';
import { until } from '../../integration/lib/stack.mjs';
import { paced } from './load.mjs';
import { scenario } from './scenario.mjs';

const EMPTY_MS_MAX = 60000;
const DOOR_RATE = 150;
const SHOP_RATE = 150;
const TYPES = 5; // of the shop's events

const subsystems = `
[billing]
handler = billing
bindings = stripe.#
workers = 2
batch = 50

[shop]
handler = sql
function = shop_apply
bindings = shop.# internal.#
workers = 2
batch = 50
`;

// {"raise": SQLSTATE, "until": n}: every try before the n-th raises; without until every one does. {"sleep": s}: it takes so long.
const shopSql = `
CREATE TABLE shop_applied(event_id text NOT NULL, attempt integer NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE FUNCTION shop_apply(event_id text, body jsonb, attempt integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF body ? 'raise' AND attempt < coalesce((body ->> 'until')::integer, 1000000) THEN
    RAISE EXCEPTION 'asked to at try %', attempt USING ERRCODE = body ->> 'raise';
  END IF;
  PERFORM pg_sleep((body ->> 'sleep')::float8);
  INSERT INTO shop_applied VALUES (event_id, attempt);
END $$;`;

// The name of bytes that hold no event.
export function keyOf(bytes) {
  return `bytes:${createHash('sha256').update(bytes).digest('hex')}`;
}

// Pure: no server, no clock.
//   attempted    distinct events, and distinct bytes that hold none       promised     of them, answered 2xx or confirmed
//   applied      in the inbox once, with its effect once                  parked       planted, and one letter as it was to be
//   lost         promised, and neither applied nor set aside              duplicated   an effect, a row or a letter more than one, or both row and letter
//   unexpected   a letter that was not planted, or is another than planted; what was planted and applied; what nobody sent
// events: iterable of {id, statuses, hasEffect}; planted: Map key -> {class, code, attempts}, of which what is undefined may be anything;
// inbox, effects: Map id -> times; letters: [{key, class, code, attempts}].
export function account(events, planted, { inbox, effects, letters }) {
  const numbers = { attempted: 0, promised: 0, applied: 0, parked: 0, lost: 0, duplicated: 0, unexpected: 0 };
  const examples = { lost: [], duplicated: [], unexpected: [] };
  const note = (what, key, why) => {
    numbers[what] += 1;
    if (examples[what]?.length < 5) examples[what].push(why === undefined ? key : `${key} (${why})`);
  };
  const byKey = new Map();
  for (const letter of letters) byKey.set(letter.key, [...(byKey.get(letter.key) ?? []), letter]);
  const known = new Map([...events].map((event) => [event.id, event]));
  for (const key of planted.keys()) if (!known.has(key)) known.set(key, { id: key, statuses: [200] });
  for (const event of known.values()) {
    const { id } = event;
    const own = byKey.get(id) ?? [];
    const rows = inbox.get(id) ?? 0;
    const done = event.hasEffect ? effects.get(id) ?? 0 : rows;
    const isPromised = event.statuses.some((status) => status >= 200 && status < 300);
    numbers.attempted += 1;
    if (isPromised) numbers.promised += 1;
    if (rows > 1 || done > 1 || own.length > 1 || (rows > 0 && own.length > 0)) note('duplicated', id, `rows ${rows}, effects ${done}, letters ${own.length}`);
    else if (rows !== done) note('lost', id, `rows ${rows}, effects ${done}`);
    else if (rows === 0 && own.length === 0) isPromised && note('lost', id);
    else if ((own.length > 0) !== planted.has(id)) note('unexpected', id, own.length > 0 ? `a letter ${said(own[0])}` : 'applied, though planted');
    else if (own.length > 0 && !isAsPlanted(own[0], planted.get(id))) note('unexpected', id, `a letter ${said(own[0])}, planted ${said(planted.get(id))}`);
    else note(own.length > 0 ? 'parked' : 'applied', id);
  }
  for (const key of new Set([...inbox.keys(), ...effects.keys(), ...byKey.keys()])) if (!known.has(key)) note('unexpected', key, 'nobody sent it');
  return { numbers, examples };
}

function isAsPlanted(letter, wanted) {
  return ['class', 'code', 'attempts'].every((name) => wanted[name] === undefined || wanted[name] === letter[name]);
}

function said(one) {
  return `${one.class} ${one.code} after ${one.attempts}`;
}

// The programs' own events: one after the other at a rate, each confirmed, each in the ledger. next(n) gives what is not ordinary about the n-th:
// {id, type, body, properties}, all optional.
class Shop {
  constructor(world, producer, { rate = SHOP_RATE, next = () => ({}) } = {}) {
    Object.assign(this, { world, producer, rate, next, count: 0, open: 0 });
  }

  start() {
    this.timer = paced(() => this.rate, () => this.publish(this.next(this.count)));
  }

  // Resolves with the event's id when the broker has confirmed it.
  async publish({ id = `shop_${this.count}`, type = `order.${this.count % TYPES}`, body = {}, properties } = {}) {
    const event = this.world.load.record(id, '');
    event.hasEffect = true;
    this.count += 1;
    this.open += 1;
    await this.producer.publish({ id, type, body, properties }).then(() => event.statuses.push(200), () => event.statuses.push(0));
    this.open -= 1;
    return id;
  }

  async finish() {
    clearInterval(this.timer);
    await until('the producer has its confirms', () => this.open === 0, EMPTY_MS_MAX);
  }
}

// options: those of a scenario, and {consumer: environment of the consumer, sections: more lines for billing and shop by name, next and rate of the Shop}.
export function consumed(id, title, options, body) {
  const { consumer = {}, sections = {}, shop = {}, beforeStart, ...others } = options;
  const told = (name) => `[${name}]\n${sections[name] ?? ''}`;
  return scenario(id, title, {
    degrades: false,
    rate: DOOR_RATE,
    deadlineMs: 15000, // the door is not what is looked at
    subsystems: subsystems.replace('[billing]\n', told('billing')).replace('[shop]\n', told('shop')) + (sections.more ?? ''),
    ...others,
    async beforeStart(world) {
      await world.stack.query(shopSql);
      Object.assign(world.stack.consumerEnvironment, consumer);
      return beforeStart?.(world);
    },
  }, async (world) => {
    world.planted = new Map();
    world.plant = (key, wanted) => world.planted.set(key, wanted);
    world.producer = await Producer.connect(world.stack);
    world.cleanup(() => world.producer.close());
    world.shop = new Shop(world, world.producer, shop);
    world.atEnd(() => settle(world));
    world.shop.start();
    try {
      await body(world);
    } finally {
      await world.shop.finish();
    }
  });
}

// For events that fail one by one: their types' breakers are kept closed, as runbooks/failure-spike.md has it for poison.
export async function keepBreakersClosed(world) {
  await Promise.all(Array.from({ length: TYPES }, (_, n) => world.stack.sluice('breaker', 'close', 'shop', `order.${n}`, '--for', '30m', '--reason', 'what is to fail is given up')));
}

async function settle(world) {
  await world.until('every planted one is set aside', async () => (await letters(world)).length >= world.planted.size, EMPTY_MS_MAX);
  const isEmpty = await world.until('nothing waits in the broker', () => world.stack.isBrokerEmpty(), EMPTY_MS_MAX);
  const { numbers, examples } = account(world.load.events.values(), world.planted,
    { inbox: await world.stored(), effects: await counted(world, 'SELECT event_id, count(*) FROM shop_applied GROUP BY 1'), letters: await letters(world) });
  world.note(`behind the broker: attempted ${numbers.attempted}, promised ${numbers.promised}, applied once ${numbers.applied}, parked ${numbers.parked} of ${world.planted.size} planted, `
    + `lost ${numbers.lost}, duplicated ${numbers.duplicated}, unexpected ${numbers.unexpected}, broker ${isEmpty ? 'empty' : 'NOT empty'}`);
  for (const what of ['lost', 'duplicated', 'unexpected']) world.check(numbers[what] === 0, `${what} behind the broker: ${examples[what].join('; ')}`);
  world.check(numbers.applied + numbers.parked === numbers.attempted, `${numbers.attempted - numbers.applied - numbers.parked} of ${numbers.attempted} were neither applied nor parked`);
  world.check(numbers.parked === world.planted.size, `${numbers.parked} of ${world.planted.size} planted ones are set aside`);
}

async function counted(world, sql) {
  return new Map((await world.stack.query(sql)).map(([id, times]) => [id, Number(times)]));
}

async function letters(world) {
  const rows = await world.stack.query("SELECT coalesce(event_id, 'bytes:' || encode(body_sha256, 'hex')), error_class, error_code, attempts FROM sluice_dead_letter WHERE status = 'open'");
  return rows.map(([key, errorClass, code, attempts]) => ({ key, class: errorClass, code, attempts: Number(attempts) }));
}
