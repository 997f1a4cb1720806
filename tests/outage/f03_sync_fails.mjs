// F3, F4 - the broker is away and fdatasync fails with EIO; later calls would succeed, and would be worth nothing.
// Expected: no 2xx on a failed sync: the batch goes to a new file, and when that fails too it is refused; heals by itself when the disk does.
import { FaultDisk } from './lib/faultdisk.mjs';
import { scenario } from './lib/scenario.mjs';

let disk;

await scenario('F3', 'broker away, fdatasync fails', {
  proxy: true,
  async beforeStart(world) {
    disk = new FaultDisk(world);
    return disk.environment;
  },
}, async (world) => {
  const kept = () => world.load.statistics('fault').byStatus[202] ?? 0;
  await world.warm();
  await world.fault('broker away', () => world.proxy.tell('down'));
  await world.until('events are kept', async () => kept() > 100, 20000);
  disk.tell('sync-fail');
  await world.until('it refuses', async () => world.load.statistics('fault').byStatus[503] > 100, 20000);
  const before = kept();
  await world.hold(world.ms(1500, 15000));
  world.check(kept() === before, `${kept() - before} events were answered 202 while no sync succeeded`);
  disk.tell('');
  await world.until('it keeps again', async () => kept() > before + 50, 20000);
  await world.heal(() => world.proxy.tell('up'));
});
