// D11 - megabytes both ways at once, under load: events of nearly the largest size; a function that answers each small event with megabytes, and warns with another;
// billing rows whose trigger warns with megabytes while those behind them in the pipeline are still being sent; an exception with a text of megabytes.
// Expected: neither side waits for the other, everything is applied with all its bytes, and what the other side says does not add to the consumer's memory.
import { createHash } from 'node:crypto';
import { consumed } from './lib/applied.mjs';
import { isLong } from './lib/scenario.mjs';
import { neighboursSpendNothing } from './lib/tries.mjs';
import { measure } from './lib/watch.mjs';

const MIB = 1 << 20;
const LOOK_MS = 50;
const GROWTH_MAX = { sanitized: 160 * MIB, plain: 100 * MIB }; // six workers with 8 MiB of deliveries and one batch of 2 MiB each, in all its forms
const WAITS_MS_MAX = isLong ? 600000 : 120000;

// Told to the client, not to the server's log, which other tests share.
const sql = `
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET log_min_messages = fatal', current_database()); END $$;
CREATE TABLE paper(event_id text, sha256 text);
CREATE FUNCTION papers_apply(event_id text, type text, raw bytea, attempt integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF type = 'paper.loud' THEN RAISE WARNING '%', repeat('w', ${MIB}); END IF;
  IF type = 'paper.refused' THEN RAISE EXCEPTION '%', repeat('e', ${4 * MIB}) USING ERRCODE = 'SLBAD'; END IF;
  INSERT INTO paper VALUES (event_id, encode(sha256(raw), 'hex'));
  INSERT INTO shop_applied VALUES (event_id, attempt);
  RETURN repeat('r', ${4 * MIB});
END $$;
CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.name LIKE 'Loud%' THEN RAISE WARNING '%', repeat('w', ${2 * MIB}); END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER warn BEFORE INSERT OR UPDATE ON billing_customer FOR EACH ROW EXECUTE FUNCTION warn();`;

const sections = { more: '\n[papers]\nhandler = sql\nfunction = papers_apply\nbindings = papers.#\nworkers = 2\n' };
const consumer = { ASAN_OPTIONS: 'abort_on_error=0:exitcode=99:detect_leaks=1:quarantine_size_mb=8' };

class Papers {
  constructor(world) {
    Object.assign(this, { world, sha256: new Map() });
  }

  async publish(id, type, text) {
    const event = this.world.load.record(id, '');
    event.hasEffect = true;
    if (type !== 'paper.refused') this.sha256.set(id, createHash('sha256').update(text).digest('hex'));
    await this.world.producer.publish({ id, source: 'papers', type, body: text });
    event.statuses.push(200);
    return id;
  }
}

await consumed('D11', 'megabytes both ways', { sections, consumer, rate: 80, shop: { rate: 80 }, beforeStart: (world) => world.stack.query(sql) }, async (world) => {
  neighboursSpendNothing(world);
  await world.warm();
  const memory = watchMemory(world);
  const papers = new Papers(world);
  await world.stack.sluice('queue', 'pause', 'papers'); // so that many are answered in one batch
  await world.stack.sluice('breaker', 'close', 'papers', 'paper.refused', '--for', '30m', '--reason', 'what is to fail is given up'); // however many of them one batch has
  await world.fault('megabytes');
  const said = [];
  for (let n = 0; n < world.ms(100, 1000); n += 1) said.push(papers.publish(`loud_${n}`, 'paper.loud', '{}'));
  for (let n = 0; n < world.ms(12, 120); n += 1) said.push(papers.publish(`large_${n}`, 'paper.large', JSON.stringify({ text: String.fromCharCode(97 + (n % 26)).repeat(1000 * 1000) })));
  for (let n = 0; n < world.ms(3, 30); n += 1) {
    world.plant(await papers.publish(`refused_${n}`, 'paper.refused', '{}'), { class: 'permanent', code: 'SLBAD', attempts: 1 });
  }
  await Promise.all(said);
  await world.stack.sluice('queue', 'resume', 'papers');
  for (let n = 0; n < world.ms(4, 40); n += 1) await sendLoudBilling(world, n);
  await world.until('the papers are applied', async () => Number(await world.stack.value('SELECT count(*) FROM paper')) === papers.sha256.size, WAITS_MS_MAX);
  await world.heal();
  world.atEnd(() => check(world, papers, memory));
});

// Loud customers, and behind them in the same pipeline subscriptions that are large.
async function sendLoudBilling(world, n) {
  const created = 1700000000;
  const send = (id, type, object) => world.load.sendAuthentic(world.load.record(id, JSON.stringify({ id, object: 'event', type, created, livemode: false, data: { object } })));
  const sent = [];
  for (let k = 0; k < 3; k += 1) {
    const id = `loud${n}_${k}`;
    world.load.expected.push({ customer: [`cus_${id}`, '', `Loud ${id}`] }, { subscription: [`sub_${id}`, `cus_${id}`, 'active'] });
    sent.push(send(`evt_${id}`, 'customer.created', { id: `cus_${id}`, object: 'customer', created, name: `Loud ${id}`, email: null, livemode: false }));
    sent.push(send(`evt_${id}s`, 'customer.subscription.created', { id: `sub_${id}`, object: 'subscription', customer: `cus_${id}`, status: 'active', created, livemode: false,
      metadata: { note: 'm'.repeat(600000) }, items: { object: 'list', data: [], has_more: false } }));
  }
  await Promise.all(sent);
}

function watchMemory(world) {
  const { pid } = world.stack.consumer;
  const memory = { first: measure(pid), most: 0 };
  const timer = setInterval(() => { memory.most = Math.max(memory.most, measure(pid)?.rss ?? 0); }, LOOK_MS);
  world.cleanup(async () => clearInterval(timer));
  return memory;
}

async function check(world, papers, memory) {
  const stored = new Map(await world.stack.query('SELECT event_id, sha256 FROM paper'));
  const wrong = [...papers.sha256].filter(([id, sha256]) => stored.get(id) !== sha256);
  world.note(`${papers.sha256.size} papers, ${wrong.length} with other bytes than were sent`);
  world.check(wrong.length === 0, `other bytes than were sent: ${wrong.slice(0, 5).map(([id]) => id)}`);
  const limit = memory.first.isSanitized ? GROWTH_MAX.sanitized : GROWTH_MAX.plain;
  const growth = memory.most - memory.first.rss;
  world.note(`the consumer's memory: ${memory.first.rss >> 20} MiB before, at most ${memory.most >> 20} MiB`);
  world.check(growth <= limit, `the consumer's memory grew by ${growth >> 20} MiB, at most ${limit >> 20} MiB are due`);
  const lost = world.stack.linesOf(world.stack.consumer, 'consumer.held').length;
  const reconnects = await world.count(/^sluice_pg_reconnects_total/, world.stack.consumerPort);
  world.check(lost === 0 && reconnects === 0, `a batch was held ${lost} times, Postgres lost ${reconnects} times`);
}
