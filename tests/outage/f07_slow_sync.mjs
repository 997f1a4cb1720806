// F7 - the broker is away, and each fdatasync takes 7 seconds.
// Expected: nobody waits for the disk longer than the deadline of an answer: 503. What was synced later all the same is published: twice at most, applied once.
import { FaultDisk } from './lib/faultdisk.mjs';
import { scenario } from './lib/scenario.mjs';

let disk;

await scenario('F7', 'broker away, fdatasync takes 7 s', {
  proxy: true,
  async beforeStart(world) {
    disk = new FaultDisk(world);
    return disk.environment;
  },
}, async (world) => {
  await world.warm();
  await world.fault('broker away, slow disk', async () => {
    disk.tell('sync-delay 7000');
    await world.proxy.tell('down');
  });
  await world.hold(world.ms(8000, 30000));
  const during = world.load.statistics('fault');
  world.check((during.byStatus[503] ?? 0) > 100, `answers were ${JSON.stringify(during.byStatus)}`);
  disk.tell('');
  await world.until('it keeps again', async () => (world.load.statistics('fault').byStatus[202] ?? 0) > 50, 20000);
  await world.heal(() => world.proxy.tell('up'));
});
