// F10 - a backlog from a long absence, when the broker comes back under load.
// Expected: replayed at the configured rate, in order, while live events go first; segments go only when all their events are confirmed.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { scenario } from './lib/scenario.mjs';

const REPLAY_RATE = 300;

await scenario('F10', 'a backlog is replayed under load', { proxy: true, publisher: { SLUICE_REPLAY_RATE: String(REPLAY_RATE) } }, async (world) => {
  await world.warm();
  await world.fault('broker away', () => world.proxy.tell('down'));
  const wanted = world.ms(2000, 12000);
  await world.until(`${wanted} events are kept`, async () => (await world.metric('sluice_journal_events')) >= wanted, 120000);
  await world.heal(() => world.proxy.tell('up'));
  const began = Date.now();
  const backlog = await world.metric('sluice_journal_events');
  const before = world.load.answers.length;
  await world.hold(4000);
  const left = await world.metric('sluice_journal_events');
  const rate = (backlog - left) / ((Date.now() - began) / 1000);
  const live = world.load.answers.slice(before).filter((one) => one.status === 200).map((one) => one.ms).sort((a, b) => a - b);
  world.note(`${backlog} events of backlog, replayed at ${Math.round(rate)} a second; live meanwhile: ${live.length} confirmed, median ${Math.round(live[live.length >> 1])} ms`);
  world.check(rate <= REPLAY_RATE * 1.5, `replayed at ${Math.round(rate)} a second, ${REPLAY_RATE} are allowed`);
  world.check(live.length > 100, `only ${live.length} live events were confirmed while the backlog was replayed`);
  world.atEnd(() => world.until('all segments are gone', async () => readdirSync(path.join(world.stack.dir, 'journal')).filter((name) => name.startsWith('drop-')).length <= 1, 20000));
});
