// G9 - the thread that writes the journal ends without a word, while the broker is away.
// Expected: no 2xx from then on and nobody waits; /readyz says that nothing can be taken, so that a supervisor restarts us; what was answered 202 before is
// published by the next process.
import { FaultDisk } from './lib/faultdisk.mjs';
import { scenario } from './lib/scenario.mjs';

let disk;

await scenario('G9', 'the journal\'s thread ends', {
  proxy: true,
  mayCutConnections: true,
  accounting: false,
  async beforeStart(world) {
    disk = new FaultDisk(world);
    return disk.environment;
  },
}, async (world) => {
  const { stack } = world;
  await world.warm();
  await world.fault('broker away', () => world.proxy.tell('down'));
  await world.until('events are kept', async () => (world.load.statistics('fault').byStatus[202] ?? 0) > 100, 20000);
  disk.tell('sync-end-thread');
  await world.until('it refuses', async () => (world.load.statistics('fault').byStatus[503] ?? 0) > 100, 20000);
  disk.tell('');
  await world.until('/readyz says so', async () => (await fetch(`${stack.url}/readyz`)).status === 503, 10000);
  world.check((await fetch(`${stack.url}/livez`)).status === 200, '/livez failed');
  await world.hold(world.ms(1000, 10000));
  stack.publisher.kill('SIGKILL'); // as a supervisor does with what is not ready for long
  await stack.publisher.ended;
  stack.spawnPublisher();
  await world.until('the next process is ready', () => stack.isReady(stack.httpPort, stack.publisher), 20000);
  await world.heal(() => world.proxy.tell('up'));
});
