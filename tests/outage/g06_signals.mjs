// G6 - signals under full load: SIGPIPE, SIGTERM, SIGINT, SIGTERM twice; each time a supervisor starts the publisher again.
// Expected: SIGPIPE is nothing; one SIGTERM or SIGINT drains within 25 s and ends with 0; a second one ends at once; nothing that was answered is lost.
import { servers } from '../integration/lib/servers.mjs';
import { scenario } from './lib/scenario.mjs';

const DRAIN_MS_MAX = 25000;

await scenario('G6', 'signals under load', { mayCutConnections: true, degrades: false, accounting: false }, async (world) => {
  const { stack } = world;
  const endsWith = async (code, what) => {
    const asked = Date.now();
    const end = await stack.publisher.ended;
    world.check(end.code === code, `${what} ended with ${end.code ?? end.signal}, not ${code}`);
    world.check(Date.now() - asked <= DRAIN_MS_MAX, `${what} took ${Date.now() - asked} ms`);
    world.note(`${what}: ended with ${end.code ?? end.signal} after ${Date.now() - asked} ms`);
    await stack.startPublisher();
    await world.hold(world.ms(700, 3000));
  };
  await world.warm();
  await world.fault('signals', () => {});
  stack.publisher.kill('SIGPIPE');
  await world.hold(300);
  world.check(stack.publisher.exitCode === null && stack.publisher.signalCode === null, 'SIGPIPE ended it');
  for (const signal of ['SIGTERM', 'SIGINT']) {
    stack.publisher.kill(signal);
    await endsWith(0, signal);
  }
  const thaw = await servers.freeze('rabbitmq'); // so that there is something to drain when the second one comes
  world.cleanup(async () => thaw());
  await world.hold(200);
  stack.publisher.kill('SIGTERM');
  await world.hold(100);
  stack.publisher.kill('SIGTERM');
  stack.publisher.ended.then(thaw);
  await endsWith(130, 'SIGTERM twice');
  await world.heal();
});
