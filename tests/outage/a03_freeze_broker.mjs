// A3 - the broker is stopped (SIGSTOP): connections stay open, nothing is answered, windows fill.
// Expected: the first missed confirm opens the breaker; from then on nobody waits for the broker; what was unconfirmed is journaled. When the
// broker goes on, confirms of a connection that has ended are nobody's.
import { servers } from '../integration/lib/servers.mjs';
import { scenario } from './lib/scenario.mjs';

await scenario('A3', 'the broker is frozen', {}, async (world) => {
  await world.warm();
  let thaw = () => {};
  world.cleanup(async () => thaw());
  await world.fault('SIGSTOP', async () => { thaw = await servers.freeze('rabbitmq'); });
  await world.hold(world.ms(6000, 60000)); // the long form outlasts heartbeats and the patience with a silent connection
  await world.checkNobodyWaits();
  await world.heal(() => thaw());
});
