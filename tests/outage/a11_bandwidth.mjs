// A11 - the way to the broker carries 8 kB a second; the load is more than a hundred times that.
// Expected: windows fill, confirms are late, the breaker opens; events are journaled; memory does not grow with what could not be sent.
import { scenario } from './lib/scenario.mjs';

await scenario('A11', '8 kB a second to the broker', { proxy: true, flaps: true }, async (world) => {
  await world.warm();
  await world.fault('bandwidth 8000', () => world.proxy.tell('bandwidth 8000'));
  await world.hold(world.ms(6000, 45000));
  await world.checkNobodyWaits();
  await world.heal(() => world.proxy.tell('clear'));
});
