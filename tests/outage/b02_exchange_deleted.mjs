// B2 - the exchange is deleted while events are published: the broker closes the channel (404), and would close every next one.
// Expected: every publish in flight on that channel is unknown and journaled; nothing is published on a closed channel; back-off until it is there.
import { scenario } from './lib/scenario.mjs';

await scenario('B2', 'the exchange is deleted while publishing', { flaps: true }, async (world) => {
  await world.warm();
  await world.fault('exchange deleted', () => world.broker.deleteExchange('sluice.events'));
  await world.hold(world.ms(3000, 20000));
  const closed = world.log('broker.lost');
  world.check(closed.length > 0 && closed.every((line) => line.error_code === 'amqp.not_found'), `the log says ${closed.map((line) => line.error_code)}`);
  await world.heal(() => world.stack.sluice('topology', 'apply'));
});
