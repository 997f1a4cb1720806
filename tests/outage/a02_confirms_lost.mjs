// A2 - the broker has taken events, and its confirms never arrive: the way back swallows them, then the connection is reset.
// Expected: the events are unknown, so they are journaled and published again; what the broker had already is recognised downstream.
import { scenario } from './lib/scenario.mjs';

await scenario('A2', 'confirms swallowed, then the connection reset', { proxy: true }, async (world) => {
  await world.warm();
  const duplicates = await world.duplicates();
  await world.fault('drop-down', () => world.proxy.tell('drop-down'));
  await world.hold(1200); // shorter than the deadline of a confirm: they end with the connection, not with the deadline
  world.note(`${await world.metric('sluice_publish_inflight')} events were with the broker and unconfirmed`);
  await world.proxy.tell('reset');
  await world.hold(world.ms(2000, 8000));
  await world.heal(() => world.proxy.tell('clear'));
  world.atEnd(async () => {
    const more = (await world.duplicates()) - duplicates;
    world.check(more > 0, 'nothing came twice: the fault was never there');
    world.note(`${more} deliveries were recognised as known`);
  });
});
