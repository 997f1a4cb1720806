// F6 - the file system with the journal turns read-only while the broker is away, as ext4 does after an error of the disk.
// Expected: 503, said once; confirmed publishing does not need the disk and goes on when the broker is back.
import { writeFileSync } from 'node:fs';
import { canMount, smallFileSystem } from './lib/faultdisk.mjs';
import { scenario, skip } from './lib/scenario.mjs';

let disk;

await scenario('F6', 'broker away, file system read-only', {
  proxy: true,
  accounting: false, // what is in the journal then can be read and published, but that it was cannot be noted: it comes again
  needs: async () => (await canMount()) || skip('needs root and a loop device'),
  async beforeStart(world) {
    disk = await smallFileSystem(world, 400);
    return { SLUICE_STATE_DIR: disk.dir, SLUICE_JOURNAL_MAX: '128MiB' };
  },
}, async (world) => {
  await world.warm();
  await world.fault('broker away', () => world.proxy.tell('down'));
  await world.until('some events are kept', async () => world.load.statistics('fault').byStatus[202] > 100, 20000);
  writeFileSync(`/sys/fs/ext4/${disk.device}/trigger_fs_error`, 'outage suite');
  await world.until('it refuses', async () => world.load.statistics('fault').byStatus[503] > 100, 60000);
  await world.hold(world.ms(1000, 10000));
  world.check(world.log('journal.finding').length > 0, 'the journal has said nothing');
  world.check(world.log('journal.finding').length < 50, `the journal has said it ${world.log('journal.finding').length} times`);
  await world.heal(() => world.proxy.tell('up'));
});
