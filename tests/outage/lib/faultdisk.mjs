// faultdisk - starts the publisher on a disk that goes wrong on command (tests/support/faultdisk.c), or on a small file system of its own.
import { execFile } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const library = process.env.SLUICE_FAULTDISK ?? path.join(process.env.SLUICE_BIN ?? '.', '..', 'tests', 'libfaultdisk.so');

export class FaultDisk {
  constructor(world) {
    this.file = path.join(world.stack.dir, 'faultdisk');
    writeFileSync(this.file, '');
    this.environment = {
      FAULTDISK: this.file,
      LD_PRELOAD: library,
      ASAN_OPTIONS: `${world.stack.publisherEnvironment.ASAN_OPTIONS}:verify_asan_link_order=0`,
    };
  }

  // Whole or not at all: it is read at every call.
  tell(command) {
    writeFileSync(`${this.file}.new`, `${command}\n`);
    renameSync(`${this.file}.new`, this.file);
  }
}

// An ext4 of its own for SLUICE_STATE_DIR; needs root and a loop device. Gone at the end of the world.
export async function smallFileSystem(world, mebibytes, options = 'errors=remount-ro') {
  const image = path.join(world.stack.dir, 'disk.img');
  const dir = path.join(world.stack.dir, 'disk');
  await run('fallocate', ['-l', `${mebibytes}M`, image]);
  await run('mkfs.ext4', ['-q', '-F', '-m', '0', image]);
  mkdirSync(dir);
  await run('mount', ['-o', `loop,${options}`, image, dir]);
  world.cleanup(async () => {
    await world.stack.terminate(world.stack.publisher);
    await run('umount', [dir]);
  });
  const { stdout } = await run('findmnt', ['-no', 'SOURCE', dir]);
  return { dir, device: path.basename(stdout.trim()) };
}

export async function canMount() {
  if (process.getuid() !== 0) return false;
  return run('losetup', ['-f']).then(() => true, () => false);
}
