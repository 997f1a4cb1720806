// C15 - a machine that went dark with a journal comes back days later: what senders were told was kept is published under today's load.
// Expected: the age of a signature is judged at the door alone. Each is applied once, with the time at which it came then, however old; what is newer stays, what was sent
// again meanwhile is known, what was asked for by a day that is past is due at once. The same signatures at today's doors are refused, and leave nothing.
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Sender, signature } from '../integration/lib/sender.mjs';
import { freePort, until } from '../integration/lib/stack.mjs';
import { consumed } from './lib/applied.mjs';
import { isLong, skip } from './lib/scenario.mjs';

const DAY_S = 86400;
const AGES_DAYS = [34, 2]; // 35 is how long an event is known for
const EACH = isLong ? 600 : 120;
const REPLAY_RATE = 100; // so that it takes a while
const AGAIN_EVERY = 5; // of them, one is sent again by its sender, newly signed
const TOLD_NEWER = (n) => n % 3 === 0; // of whose customer something newer is known before it comes back
const NEAR_S = 600;
const [THEN, LATER] = ['as it was then', 'as it was a day later'];
const LANES = 30;
const token = randomBytes(24).toString('hex');
// The library alone: its wrapper program is a process of its own.
const clock = readdirSync('/usr/lib', { withFileTypes: true }).map((entry) => `/usr/lib/${entry.name}/faketime/libfaketime.so.1`).find((file) => existsSync(file));

// A publisher of its own, with a journal and a clock of its own.
class Machine {
  static async make(world) {
    const machine = new Machine();
    Object.assign(machine, { world, kept: [], httpPort: await freePort(), metricsPort: await freePort() });
    const { stack } = world;
    machine.environment = { ...stack.publisherEnvironment, QUEUE_SERVICE_TOKEN_CRON: token, SLUICE_REPLAY_RATE: String(REPLAY_RATE),
      SLUICE_STATE_DIR: path.join(stack.dir, 'machine'), SLUICE_HTTP_LISTEN: `127.0.0.1:${machine.httpPort}`, SLUICE_METRICS_LISTEN: `127.0.0.1:${machine.metricsPort}` };
    mkdirSync(machine.environment.SLUICE_STATE_DIR, { mode: 0o700 });
    machine.nowhere = world.brokerAt(await freePort());
    machine.door = new Sender({ httpPort: machine.httpPort });
    machine.api = new Sender({ httpPort: machine.httpPort }, { path: '/api/v1/events' });
    world.cleanup(() => machine.stop());
    return machine;
  }

  // So many days ago, without a broker: takes webhooks and events of our own programs, and goes dark.
  async live(days) {
    await this.start({ AMQP_URL: this.nowhere, LD_PRELOAD: clock, FAKETIME: `-${days}d`, FAKETIME_DONT_FAKE_MONOTONIC: '1',
      ASAN_OPTIONS: `${this.environment.ASAN_OPTIONS}:verify_asan_link_order=0` });
    await inLanes(Array.from({ length: EACH }, (_, n) => n), (n) => (n % 2 === 0 ? this.takeWebhook(days, n) : this.takeOrder(days, n)));
    await this.stop();
  }

  async takeWebhook(days, n) {
    const at = Math.floor(Date.now() / 1000) - days * DAY_S;
    const [id, customer] = [`evt_long_ago_${days}_${n}`, `cus_long_ago_${days}_${n}`];
    const body = customerEvent(id, customer, at, THEN);
    const header = signature(this.world.stack.secret, body, { timestamp: at });
    const answer = await this.door.post(body, { 'stripe-signature': header });
    if (answer.status !== 202) throw new Error(`${id} was not journaled: ${answer.status} ${answer.body}`);
    const newer = TOLD_NEWER(n) ? { id: `evt_newer_${days}_${n}`, body: customerEvent(`evt_newer_${days}_${n}`, customer, at + DAY_S, LATER) } : undefined;
    this.kept.push({ id, customer, at, body, header, newer });
  }

  // Some are to be delivered an hour later, which is long past when they are published.
  async takeOrder(days, n) {
    const at = Math.floor(Date.now() / 1000) - days * DAY_S;
    const id = `order_long_ago_${days}_${n}`;
    const body = JSON.stringify({ id, type: 'order.1', occurred_at: at, data: {}, ...(n % 4 === 1 ? { deliver_at: at + 3600 } : {}) });
    const answer = await this.api.post(body, { authorization: `Bearer ${token}` });
    if (answer.status !== 202) throw new Error(`${id} was not journaled: ${answer.status} ${answer.body}`);
    this.kept.push({ id, at, body, isOrder: true });
  }

  comeBack() {
    return this.start({});
  }

  async start(others) {
    this.process = this.world.stack.spawn('sluice-publisher', { ...this.environment, ...others });
    await until('the machine is ready', () => this.world.stack.isReady(this.httpPort, this.process));
  }

  // At its own door, the signatures it took then.
  refuse() {
    return inLanes(this.kept.filter(({ header }) => header !== undefined), async ({ id, body, header }) => {
      const { status } = await this.door.post(body, { 'stripe-signature': header });
      this.world.check(status === 400, `${id}, signed long ago, was answered ${status} by who had taken it then`);
    });
  }

  async isEmpty() {
    const published = await this.world.count(/^sluice_journal_replayed_total /, this.metricsPort);
    return published === this.kept.length && (await this.world.count(/^sluice_journal_events /, this.metricsPort)) === 0;
  }

  async stop() {
    if (this.process === undefined) return;
    const end = await this.world.stack.terminate(this.process);
    this.process = undefined;
    this.world.check(end.code === 0, `the machine ended with ${end.code ?? end.signal}`);
  }
}

let machine;

await consumed('C15', 'events journaled long ago are published under load', {
  needs: async () => clock !== undefined || skip('libfaketime is not installed'),
  async beforeStart(world) {
    machine = await Machine.make(world);
    for (const days of AGES_DAYS) await machine.live(days);
  },
}, async (world) => {
  const { kept } = machine;
  for (const one of kept) Object.assign(world.load.record(one.id, one.body), { hasEffect: one.isOrder, statuses: [202] });
  world.load.expected.push(...kept.filter((one) => one.customer !== undefined).map(({ customer, newer }) => ({ customer: [customer, '', newer === undefined ? THEN : LATER] })));
  const overtaken = kept.filter((one) => one.newer !== undefined);
  await inLanes(overtaken, ({ newer }) => world.load.sendAuthentic(world.load.record(newer.id, newer.body)));
  await world.warm();
  await world.until('what is newer is applied', async () => Number(await world.stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id LIKE 'evt_newer%'")) === overtaken.length, 60000);
  await refuse(world, kept);
  const early = await world.stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id LIKE '%long_ago%'");
  world.check(early === '0', `${early} were stored by a door that refused them`);
  await world.fault('the machine is back', () => machine.comeBack());
  const again = kept.filter((one) => !one.isOrder).filter((one, n) => n % AGAIN_EVERY === 0);
  await Promise.all([inLanes(again, ({ id }) => world.load.sendAuthentic(world.load.events.get(id))), refuse(world, kept), machine.refuse()]);
  await world.until('its journal is empty', () => machine.isEmpty(), 120000);
  await world.heal();
  world.atEnd(() => checkTimes(world, kept, again));
});

// Some at a time.
async function inLanes(items, one) {
  const left = [...items];
  await Promise.all(Array.from({ length: LANES }, async () => {
    while (left.length > 0) await one(left.shift());
  }));
}

function customerEvent(id, customer, created, name) {
  return JSON.stringify({ id, object: 'event', type: 'customer.updated', created, livemode: false, data: { object: { id: customer, object: 'customer', created: 1600000000, name } } });
}

// At today's door: the signatures of then, and one as old of what nobody has ever taken.
async function refuse(world, kept) {
  const taken = kept.filter(({ header }) => header !== undefined);
  const never = taken.map(({ at }, n) => {
    const id = `evt_never_taken_${world.load.forged.size}_${n}`;
    const body = customerEvent(id, `cus_never_${n}`, at, 'never');
    return { id, body, header: signature(world.stack.secret, body, { timestamp: at }) };
  });
  for (const { id } of never) world.load.forged.add(id);
  await inLanes([...taken, ...never], async ({ id, body, header }) => {
    const { status } = await world.load.post(body, header);
    world.check(status === 400, `${id}, signed long ago, was answered ${status}`);
  });
}

async function checkTimes(world, kept, again) {
  const { stack } = world;
  const rows = new Map((await stack.query(`SELECT event_id, extract(epoch FROM occurred_at)::bigint, extract(epoch FROM received_at)::bigint, verdict
    FROM sluice_inbox WHERE event_id LIKE '%long_ago%'`)).map(([id, occurred, received, verdict]) => [id, { occurred: Number(occurred), received: Number(received), verdict }]));
  const now = Date.now() / 1000;
  const sentAgain = new Set(again.map(({ id }) => id));
  const wrong = kept.filter(({ id, at, newer, isOrder }) => {
    const row = rows.get(id);
    const isThen = Math.abs(row?.received - at) < NEAR_S || (sentAgain.has(id) && Math.abs(row?.received - now) < NEAR_S);
    return row?.occurred !== at || !isThen || (!isOrder && row.verdict !== (newer === undefined ? 'applied' : 'stale'));
  });
  world.check(wrong.length === 0, `${wrong.length} have another time or verdict: ${wrong.slice(0, 3).map(({ id, at }) => `${id} of ${at} is ${JSON.stringify(rows.get(id))}`).join('; ')}`);
  const known = await world.duplicates();
  world.check(known >= again.length, `${again.length} were sent again, ${known} known`);
  const overtaken = kept.filter(({ newer }) => newer !== undefined).length;
  world.note(`${kept.length} events journaled ${AGES_DAYS.join(' and ')} days ago, ${overtaken} of them overtaken; sent again ${again.length}, known ${known}`);
}
