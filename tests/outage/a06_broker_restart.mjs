// A6 - the broker's application is stopped and started in order: connection.close 320 to everybody, then refused connections.
// Expected: what is unconfirmed is journaled, and replayed once the broker is back.
import { rabbitmqctl } from './lib/broker.mjs';
import { scenario } from './lib/scenario.mjs';

await scenario('A6', 'stop_app and start_app', {}, async (world) => {
  await world.warm();
  let isStopped = false;
  const start = async () => {
    if (isStopped) await rabbitmqctl('start_app');
    isStopped = false;
  };
  world.cleanup(start);
  await world.fault('stop_app', async () => {
    isStopped = true;
    await rabbitmqctl('stop_app');
  });
  await world.hold(world.ms(1000, 10000));
  world.check(world.log('broker.lost').some((line) => /\b320\b/.test(line.error ?? line.reason ?? '')), 'the close with code 320 is not in the log');
  await world.heal(start);
  await world.broker.apiServes();
});
