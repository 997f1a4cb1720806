// G1 - memory runs out: under load every n-th allocation of the publisher fails, for smaller and smaller n.
// Expected: requests may fail, and the process goes on: no crash, no leak, nothing answered 2xx that is not stored; with memory back everything is normal.
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { scenario } from './lib/scenario.mjs';

const library = process.env.SLUICE_FAULTALLOC ?? path.join(process.env.SLUICE_BIN ?? '.', '..', 'tests', 'libfaultalloc.so');
const PERIODS = [997, 199, 53, 17, 7];
let file;

function every(nth) {
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(BigInt(nth));
  const fd = openSync(file, 'r+');
  writeSync(fd, number, 0, 8, 0);
  closeSync(fd);
}

await scenario('G1', 'every n-th allocation fails', {
  mayCutConnections: true, // a connection may be what there is no memory for
  degrades: false,
  flaps: true,
  accounting: false,
  async beforeStart(world) {
    file = path.join(world.stack.dir, 'faultalloc');
    writeFileSync(file, Buffer.alloc(8));
    return { FAULTALLOC: file, LD_PRELOAD: library, ASAN_OPTIONS: `${world.stack.publisherEnvironment.ASAN_OPTIONS}:verify_asan_link_order=0` };
  },
}, async (world) => {
  const { publisher } = world.stack;
  await world.warm();
  await world.fault('no memory', () => {});
  for (const nth of PERIODS) {
    const before = world.load.answers.length;
    every(nth);
    await world.hold(world.ms(1500, 10000));
    const statuses = {};
    for (const one of world.load.answers.slice(before)) statuses[one.status] = (statuses[one.status] ?? 0) + 1;
    world.note(`every ${nth}th: ${JSON.stringify(statuses)}`);
    if (!world.check(publisher.exitCode === null && publisher.signalCode === null, `with every ${nth}th allocation failing it ended with ${publisher.exitCode ?? publisher.signalCode}`)) break;
  }
  every(0);
  if (publisher.exitCode !== null || publisher.signalCode !== null) await world.stack.startPublisher();
  await world.heal();
});
