// G10 - broker, database and name service are all away when the programs start.
// Expected: the publisher starts, is ready and journals; the consumer starts and waits; nobody crashes or loops; all heals by itself.
import { servers } from '../integration/lib/servers.mjs';
import { NameServer } from './lib/names.mjs';
import { scenario, skip } from './lib/scenario.mjs';

let names;

await scenario('G10', 'everything is down at boot', {
  needs: async () => process.getuid() === 0 || skip('needs root for a name server of its own'),
  proxy: true,
  startsDegraded: true,
  consumer: false,
  async beforeStart(world) {
    names = await NameServer.start();
    world.cleanup(() => names.stop());
    names.answer = undefined;
    world.stack.publisherWrapper = names.wrapper(world.stack.dir);
    world.cleanup(() => servers.start('rabbitmq'));
    world.cleanup(() => servers.start('postgres'));
    await servers.stop('rabbitmq');
    await servers.stop('postgres');
    return { AMQP_URL: world.brokerAt(world.proxy.port, { host: 'broker.outage.test' }) };
  },
}, async (world) => {
  const { stack } = world;
  world.options.consumer = true; // from here on: its rows are looked for
  stack.consumer = stack.spawn('sluice-consumer', stack.consumerEnvironment);
  await world.fault('all of it was down before us', () => {});
  await world.until('the publisher is ready without a broker', async () => (await fetch(`${stack.url}/readyz`)).status === 200, 15000);
  await world.hold(world.ms(4000, 20000));
  await world.checkNobodyWaits();
  world.check(stack.consumer.exitCode === null, 'the consumer gave up');
  await world.heal(async () => {
    names.answer = ['127.0.0.1'];
    await servers.start('rabbitmq');
    await servers.start('postgres');
    await world.broker.apiServes();
  });
});
