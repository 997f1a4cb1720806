// A10 - every byte is a segment of its own, and everything takes 100 ms longer each way.
// Expected: it works; frames are never cut wrongly; no event is degraded.
import { scenario } from './lib/scenario.mjs';

await scenario('A10', 'one byte a segment, 100 ms each way', { proxy: true, degrades: false, rate: 8, warmMs: 12000 }, async (world) => {
  await world.warm();
  await world.fault('slicer and latency', async () => {
    await world.proxy.tell('latency 100');
    await world.proxy.tell('slicer 1');
  });
  await world.hold(world.ms(6000, 30000));
  const during = world.load.statistics('fault');
  world.check((during.byStatus[200] ?? 0) > 20 && during.byStatus[202] === undefined && during.byStatus[503] === undefined, `answers were ${JSON.stringify(during.byStatus)}`);
  world.check(world.log('broker.lost').length === 0, 'a connection was lost');
  world.note(`p99 with it ${Math.round(during.p99)} ms`);
  await world.heal(() => world.proxy.tell('clear'));
});
