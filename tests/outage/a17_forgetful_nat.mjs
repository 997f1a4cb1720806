// A17 - nothing happens for a while, and something in between forgets the connection: both ends believe in it, no packet gets through any more.
// Expected: heartbeats find out while nothing is published, or the first publish does; either way its event is stored before it is answered.
import { scenario } from './lib/scenario.mjs';

await scenario('A17', 'an idle connection is forgotten on the way', { proxy: true, degrades: false }, async (world) => {
  await world.warm();
  world.load.rate = 0;
  await world.until('nothing is in flight', async () => world.load.inFlight === 0);
  await world.fault('forget', () => world.proxy.tell('forget'));
  if (world.isLong) {
    await world.until('the heartbeat finds out', () => world.log('broker.lost').some((line) => /silent/.test(line.error)), 45000);
    await world.until('a new connection is up', async () => (await world.watch.ask('/health')).body?.status === 'ok', 30000);
    await world.proxy.tell('forget'); // once more, for a publish to find
  }
  world.load.rate = 400;
  await world.until('/health says degraded', () => world.watch.looks.some((look) => look.at > world.faultAt && look.health === 'degraded'), 20000);
  await world.until('an event was kept', async () => (await world.count(/^sluice_events_received_total\{source="stripe",outcome="journaled"\}/)) > 0, 20000);
  await world.heal(() => world.proxy.tell('clear'));
});
