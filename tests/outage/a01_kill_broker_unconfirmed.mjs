// A1 - the broker is killed (-9) while publishes wait for their confirm; its supervisor starts it again.
// Expected: what was unconfirmed goes to the journal or back to its sender, never out as a 2xx on hope; reconnects by itself.
import { servers } from '../integration/lib/servers.mjs';
import { scenario } from './lib/scenario.mjs';

await scenario('A1', 'kill -9 of the broker with publishes unconfirmed', { proxy: true }, async (world) => {
  await world.warm();
  await world.proxy.tell('latency 80'); // so that dozens are unconfirmed at any time
  await world.hold(500);
  world.note(`${await world.metric('sluice_publish_inflight')} publishes were unconfirmed shortly before`);
  let back;
  await world.fault('kill -9', () => { back = servers.kill('rabbitmq'); });
  await back;
  await world.heal(() => world.proxy.tell('clear'));
});
