// D10 - one bad row in each thousand, several thousands as a backlog and under load, in a function in SQL and in the billing tables. Half of them are refused by a
// constraint, which names the row; the others are refused without a word about who it was, so that only halving finds them.
// Expected: 999 of each thousand are applied, the one is set aside at its first try, and whoever has it in a batch of n takes at most 2 * log2(n) + 1 transactions,
// as Postgres counts them.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { serverAddresses } from '../integration/lib/stack.mjs';
import { consumed } from './lib/applied.mjs';
import { neighboursSpendNothing } from './lib/tries.mjs';

const THOUSAND = 1000;
const WAITS_MS_MAX = 120000;

// Postgres writes one line for each transaction of a backlog that claims events, also for those that fail: a log is not rolled back.
const sql = `
CREATE TABLE guilty(id text PRIMARY KEY);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE told jsonb;
BEGIN
  SELECT jsonb_build_object('worker', pg_backend_pid(), 'events', count(*), 'guilty', count(g.id)) INTO told
    FROM claimed c LEFT JOIN guilty g ON g.id = c.event_id WHERE c.subsystem LIKE 'bulk%';
  IF (told ->> 'events')::integer > 0 THEN RAISE LOG 'claimed in %: %', current_database(), told; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT ON sluice_inbox REFERENCING NEW TABLE AS claimed FOR EACH STATEMENT EXECUTE FUNCTION tell();

CREATE TABLE bulk(event_id text, n integer CONSTRAINT positive CHECK (n >= 0));
CREATE FUNCTION bulk_apply(event_id text, body jsonb, attempt integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF body ? 'silent' THEN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END IF;
  INSERT INTO bulk VALUES (event_id, (body ->> 'n')::integer);
  INSERT INTO shop_applied VALUES (event_id, attempt);
END $$;

ALTER TABLE billing_customer ADD CONSTRAINT has_a_real_name CHECK (name <> 'Nobody');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.name = 'Silent' THEN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON billing_customer FOR EACH ROW EXECUTE FUNCTION refuse();`;

const sectionOf = { bulk: 'bulk', mirror: 'bulk-billing' }; // by source
const HELD_MAX = 4000; // by the workers of one
const backlog = `workers = ${HELD_MAX / 2000}\nbatch = 1000\nprefetch = 2000\n`;
const sections = {
  more: `\n[bulk]\nhandler = sql\nfunction = bulk_apply\nbindings = bulk.#\n${backlog}\n[bulk-billing]\nhandler = billing\nbindings = mirror.#\n${backlog}`,
};

await consumed('D10', 'one bad row in each thousand', { sections, rate: 80, shop: { rate: 80 }, beforeStart: (world) => world.stack.query(sql) }, async (world) => {
  neighboursSpendNothing(world);
  for (const section of Object.values(sectionOf)) await world.stack.sluice('queue', 'pause', section);
  await world.warm();
  const thousands = [];
  for (let t = 0; t < world.ms(4, 20); t += 1) thousands.push(await publishThousand(world, t));
  await world.fault('a backlog with one bad row in each thousand');
  await asBacklog(world, thousands.length);
  for (const thousand of thousands) await world.until('the others of a thousand are applied', async () => (await appliedOf(world, thousand)) === THOUSAND - 1, WAITS_MS_MAX);
  await world.heal();
  world.atEnd(() => checkThousands(world, thousands));
});

// Nobody claims before the workers hold what they may: batches are as large as they can be, however slow the broker is.
async function asBacklog(world, thousands) {
  const release = await world.stack.lock('LOCK TABLE sluice_inbox IN SHARE ROW EXCLUSIVE MODE');
  world.cleanup(release);
  const held = Math.min((thousands / 2) * THOUSAND, HELD_MAX);
  for (const section of Object.values(sectionOf)) await world.stack.sluice('queue', 'resume', section);
  for (const section of Object.values(sectionOf)) {
    await world.until(`${section} holds its backlog`, async () => (await world.stack.metric(`sluice_consumer_inflight{subsystem="${section}"}`, world.stack.consumerPort)) === held, WAITS_MS_MAX);
  }
  await release();
}

// Far enough apart for no batch to hold two of them, as long as the order stays what it was.
async function publishThousand(world, t) {
  const isBilling = t % 2 === 1;
  const isSilent = t % 4 >= 2;
  const guilty = 300 + ((t * 131) % 400);
  const prefix = `bulk${t}_`;
  const published = [];
  await world.stack.query(`INSERT INTO guilty VALUES ('${prefix}${guilty}')`);
  for (let n = 0; n < THOUSAND; n += 1) {
    const id = `${prefix}${n}`;
    const event = world.load.record(id, '');
    event.hasEffect = !isBilling;
    if (n === guilty) world.plant(id, { class: 'permanent', code: '23514', attempts: 1 });
    else if (isBilling) world.load.expected.push({ customer: [`cus_${id}`, '', `Bulk ${n}`] });
    const bad = n === guilty ? (isSilent ? 'Silent' : 'Nobody') : undefined;
    const body = isBilling ? customer(id, bad ?? `Bulk ${n}`) : { n: bad === 'Nobody' ? -1 : n, ...(bad === 'Silent' ? { silent: true } : {}) };
    published.push(world.producer.publish({ id, source: isBilling ? 'mirror' : 'bulk', type: isBilling ? 'customer.created' : 'thing.made', body }).then(() => event.statuses.push(200)));
  }
  await Promise.all(published);
  return { t, prefix, what: `${isBilling ? 'billing' : 'a function'}, ${isSilent ? 'refused without a word' : 'the row is named'}` };
}

function customer(id, name) {
  return { id, object: 'event', type: 'customer.created', created: 1700000000, livemode: false,
    data: { object: { id: `cus_${id}`, object: 'customer', created: 1700000000, name, email: null, livemode: false } } };
}

async function appliedOf(world, { prefix }) {
  return Number(await world.stack.value(`SELECT count(*) FROM sluice_inbox WHERE event_id LIKE '${prefix.replace('_', '\\_')}%' AND verdict = 'applied'`));
}

async function checkThousands(world, thousands) {
  for (const thousand of thousands) {
    const [applied, parked] = [await appliedOf(world, thousand), Number(await world.stack.value(`SELECT count(*) FROM sluice_dead_letter WHERE event_id LIKE '${thousand.prefix.replace('_', '\\_')}%'`))];
    world.note(`thousand ${thousand.t} (${thousand.what}): applied ${applied}, parked ${parked}`);
    world.check(applied === THOUSAND - 1 && parked === 1, `thousand ${thousand.t}: applied ${applied}, parked ${parked}`);
  }
  const { batches, clean } = batchesOf(transactions(world));
  const guilty = batches.reduce((sum, batch) => sum + batch.guilty, 0);
  world.note(`${clean} batches without a bad row; with one: ${batches.map(({ events, count, most }) => `${count} transactions for ${events} events (at most ${most})`).join(', ')}`);
  world.check(guilty === thousands.length, `Postgres saw ${guilty} bad rows in batches, of ${thousands.length}`);
  for (const { events, count, most } of batches) world.check(count <= most, `${count} transactions for ${events} events, at most ${most} are due`);
  world.check(batches.some(({ events }) => events >= THOUSAND / 10), 'every bad row was in a batch of few');
}

function transactions(world) {
  const log = path.join(serverAddresses().SLUICE_DEV_DIR, 'logs', 'postgres.log'); // of all tests, and large
  const mark = `claimed in ${world.stack.name}: `;
  const lines = execFileSync('grep', ['-aF', mark, log], { encoding: 'utf8', maxBuffer: 64 << 20 }).split('\n').filter(Boolean);
  return lines.map((one) => JSON.parse(one.slice(one.indexOf(mark) + mark.length)));
}

// A worker's transactions in their order: a batch with a bad row begins with one of the whole of it, and ends when each of its events was in one that passed, or alone.
function batchesOf(all) {
  const batches = [];
  const open = new Map();
  let clean = 0;
  for (const { worker, events, guilty } of all) {
    let batch = open.get(worker);
    if (batch === undefined && guilty === 0) {
      clean += 1;
      continue;
    }
    if (batch === undefined) {
      batch = { events, guilty, left: events, count: 0, most: guilty * 2 * Math.ceil(Math.log2(events)) + 1 };
      batches.push(batch);
      open.set(worker, batch);
    }
    batch.count += 1;
    if (guilty === 0 || events === 1) batch.left -= events;
    if (batch.left === 0) open.delete(worker);
  }
  return { batches, clean };
}
