// C11 - long waits ahead of short ones, in the same delays: events that are to be delivered in a while, behind them events due in seconds and events that throw
// once; and at the signed door types that wait before their first try, one long, one short.
// Expected: each short one comes when it is due, while the long ones before it still wait; none comes early; each is applied once.
// A machine that stands still for so long that the long ones are due as well shows nothing, so then there is another wave with longer ones.
import { randomBytes } from 'node:crypto';
import { Sender } from '../integration/lib/sender.mjs';
import { consumed, keepBreakersClosed } from './lib/applied.mjs';
import { isLong } from './lib/scenario.mjs';

const token = randomBytes(24).toString('hex');
const LONG_S = isLong ? 60 : 15;
const WAVES = isLong ? 3 : 1; // that must show it
const WAVES_MAX = WAVES + 2;
const FIRST_S = { 'customer.created': 2, 'invoice.paid': 8 };

await consumed('C11', 'long waits ahead of short ones', {
  accounting: false, // there is a second door
  publisher: { QUEUE_SERVICE_TOKEN_RAPTOR: token },
  consumer: { QUEUE_BACKOFF_DELAY: '1000' },
  sections: { billing: `delay = ${Object.entries(FIRST_S).map(([type, s]) => `${type}:${s}s`).join(' ')}\n` },
}, async (world) => {
  const sender = new Sender(world.stack, { path: '/api/v1/events', connections: 8 });
  await keepBreakersClosed(world);
  await world.warm();
  await world.fault('long ones, then short ones');
  let shown = 0;
  for (let wave = 0; shown < WAVES && wave < WAVES_MAX; wave += 1) {
    const longS = LONG_S * 2 ** (wave - shown);
    shown += await waveShows(world, sender, wave, longS);
  }
  world.check(shown === WAVES, 'the short ones were applied only when the long ones before them were');
  sender.close(); // its connections are not the load's
  await world.heal();
  world.atEnd(() => checkNoneEarly(world));
});

// Whether all of the short ones were applied while all of the long ones still waited.
async function waveShows(world, sender, wave, longS) {
  const later = async (id, seconds) => {
    const at = Math.ceil(Date.now() / 1000) + seconds;
    const body = JSON.stringify({ id, type: 'thing.due', deliver_at: at });
    const event = Object.assign(world.load.record(id, body), { hasEffect: true, at });
    event.statuses.push((await sender.post(body, { authorization: `Bearer ${token}` })).status);
  };
  const some = (count, fn) => Promise.all(Array.from({ length: count }, (_, n) => fn(n)));
  await some(60, (n) => later(`long_${wave}_${n}`, longS + (n % 5)));
  await Promise.all([
    some(120, (n) => later(`short_${wave}_${n}`, 1 + (n % 3))),
    some(60, (n) => world.shop.publish({ id: `short_${wave}_again_${n}`, type: `order.${n % 5}`, body: { raise: 'SLRTY', until: 2 } })),
  ]);
  const applied = (what) => world.stack.value(`SELECT count(*) FROM shop_applied WHERE event_id LIKE '${what}_${wave}_%'`).then(Number);
  await world.until('the short ones are applied', async () => (await applied('short')) === 180, 120000);
  const long = await applied('long');
  world.note(`wave ${wave}: 180 short ones applied while ${60 - long} of 60 long ones (${longS} s) before them waited`);
  return long === 0 ? 1 : 0;
}

async function checkNoneEarly(world) {
  const at = new Map((await world.stack.query('SELECT event_id, extract(epoch FROM at)::float8 FROM shop_applied')).map(([id, time]) => [id, Number(time)]));
  const asked = [...world.load.events.values()].filter((event) => event.at !== undefined);
  const early = asked.filter((event) => at.get(event.id) < event.at);
  world.check(early.length === 0, `${early.length} of ${asked.length} came before their time: ${early.slice(0, 3).map((event) => event.id)}`);
  for (const [type, seconds] of Object.entries(FIRST_S)) {
    const [[count, soonest]] = await world.stack.query(`SELECT count(*), extract(epoch FROM min(applied_at - received_at))::float8 FROM sluice_inbox WHERE type = '${type}'`);
    world.check(Number(count) > 0 && Number(soonest) >= seconds, `of ${count} events ${type} one was applied after ${soonest} s`);
  }
  const passed = await world.stack.value(`SELECT count(*) FROM sluice_inbox short WHERE short.type = 'customer.created' AND EXISTS (
    SELECT FROM sluice_inbox long WHERE long.type = 'invoice.paid' AND long.received_at < short.received_at AND long.applied_at > short.applied_at)`);
  world.check(Number(passed) > 0, 'no short first wait ended before a longer one that had begun before it');
  world.note(`${asked.length} asked for their time, none came before it; ${passed} customers overtook an invoice that waited longer`);
}
