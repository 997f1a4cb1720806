// F5 - the broker is away and the disk is full: ENOSPC where the next segment should be, with the journal's own room used up.
// Expected: 503 that the sender can retry, never a 2xx without a sync; /readyz says so; 202 again as soon as there is room, and nothing behind a partial record.
import { unlinkSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { canMount, smallFileSystem } from './lib/faultdisk.mjs';
import { scenario, skip } from './lib/scenario.mjs';

let disk;

await scenario('F5', 'broker away, disk full', {
  proxy: true,
  needs: async () => (await canMount()) || skip('needs root and a loop device'),
  async beforeStart(world) {
    disk = await smallFileSystem(world, 400);
    return { SLUICE_STATE_DIR: disk.dir, SLUICE_JOURNAL_MAX: '128MiB' };
  },
}, async (world) => {
  await world.warm();
  const ballast = path.join(disk.dir, 'ballast');
  await world.fault('broker away, disk full', async () => {
    execFileSync('fallocate', ['-l', freeBytes(disk.dir), ballast]);
    await world.proxy.tell('down');
  });
  await world.until('it refuses', async () => world.load.statistics('fault').byStatus[503] > 100, 60000);
  world.check((await fetch(`${world.stack.url}/readyz`)).status === 503, '/readyz did not say that nothing can be taken');
  world.check((await world.metric('sluice_journal_usable')) === 0, 'sluice_journal_usable is not 0');
  await world.hold(world.ms(1000, 10000));
  const before = world.load.statistics('fault').byStatus[202] ?? 0;
  unlinkSync(ballast);
  await world.until('it keeps again', async () => (world.load.statistics('fault').byStatus[202] ?? 0) > before + 50, 20000);
  await world.heal(() => world.proxy.tell('up'));
});

function freeBytes(dir) {
  const [, line] = execFileSync('df', ['-B1', '--output=avail', dir], { encoding: 'utf8' }).trim().split('\n');
  return String(Number(line) - 4096 * 64); // the file system's own bookkeeping
}
