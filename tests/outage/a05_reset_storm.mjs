// A5 - every connection to the broker is reset a fraction of a second after it was opened.
// Expected: back-off with jitter, no hot loop, no descriptor left behind.
import { scenario } from './lib/scenario.mjs';

const CONNECTS_A_SECOND_MAX = 5;

await scenario('A5', 'each connection is reset after 200 ms', { proxy: true, flaps: true }, async (world) => {
  await world.warm();
  const before = (await world.proxy.stats()).accepted;
  const began = Date.now();
  await world.fault('reset-every 200', () => world.proxy.tell('reset-every 200'));
  await world.hold(world.ms(6000, 30000));
  const connects = (await world.proxy.stats()).accepted - before;
  const seconds = (Date.now() - began) / 1000;
  world.note(`${connects} connections in ${seconds.toFixed(0)} s`);
  world.check(connects >= 2, 'it did not try again');
  world.check(connects / seconds < CONNECTS_A_SECOND_MAX, `${(connects / seconds).toFixed(1)} connections a second`);
  await world.heal(() => world.proxy.tell('clear'));
});
