// A4 - packets to and from the broker are dropped both ways; no reset, no close: a pulled cable.
// Expected: as A3; the socket does not outlive the link's patience, and no thread is stuck in it.
import { packets } from './lib/packets.mjs';
import { scenario, skip } from './lib/scenario.mjs';

await scenario('A4', 'packets to and from the broker are dropped', { needs: async () => (await packets.canBeDropped()) || skip('needs root and nft') }, async (world) => {
  await world.warm();
  world.cleanup(() => packets.pass());
  await world.fault('nft drop', () => packets.drop(Number(world.stack.servers.STACK_AMQP_PORT)));
  await world.hold(world.ms(6000, 45000));
  await world.checkNobodyWaits();
  await world.heal(() => packets.pass());
});
