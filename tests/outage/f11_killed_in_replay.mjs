// F11 - the publisher is killed (-9) again and again while it replays its journal.
// Expected: at least once: nothing is skipped, whatever was confirmed and not noted comes twice and is known.
import { scenario } from './lib/scenario.mjs';

await scenario('F11', 'kill -9 during the replay', { proxy: true, mayCutConnections: true, accounting: false, flaps: true, publisher: { SLUICE_REPLAY_RATE: '400' } }, async (world) => {
  const { stack } = world;
  await world.warm();
  await world.fault('broker away', () => world.proxy.tell('down'));
  await world.until('events are kept', async () => (await world.metric('sluice_journal_events')) >= 1500, 60000);
  await world.heal(() => world.proxy.tell('up'));
  for (let round = 0; round < world.ms(3, 8); round += 1) {
    await world.until('the replay is on its way', async () => (await world.metric('sluice_journal_replayed_total')) > 60, 20000);
    stack.publisher.kill('SIGKILL');
    await stack.publisher.ended;
    await stack.startPublisher();
    world.note(`killed with ${await world.metric('sluice_journal_events')} events left`);
  }
});
