// G2 - few descriptors are allowed, and strangers take all that are left with connections on which they say nothing; meanwhile the broker's is reset.
// Expected: who is connected is served, from the journal when no socket can be had for the broker; when the strangers leave everything comes back, and no
// descriptor is missing.
import net from 'node:net';
import { scenario } from './lib/scenario.mjs';

const LIMIT = 96;

await scenario('G2', `no more than ${LIMIT} descriptors`, {
  proxy: true,
  rate: 100,
  connections: 20,
  mayCutConnections: true,
  accounting: false, // a connection too many is answered 503 at the door, before it is an event
  degrades: false, // whether a socket for the broker can be had is a matter of luck
  deadlineMs: 15000, // of a connection that waits to be accepted
  async beforeStart(world) {
    world.stack.publisherWrapper = ['prlimit', `--nofile=${LIMIT}:${LIMIT}`];
  },
}, async (world) => {
  await world.warm();
  let isOver = false;
  const strangers = new Set();
  const come = () => {
    if (isOver) return;
    const socket = net.connect(world.stack.httpPort, '127.0.0.1');
    strangers.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      strangers.delete(socket);
      setTimeout(come, 50);
    });
  };
  const leave = () => {
    isOver = true;
    for (const socket of strangers) socket.destroy();
  };
  world.cleanup(async () => leave());
  await world.fault('strangers', async () => {
    for (let i = 0; i < 2 * LIMIT; i += 1) come();
    await world.hold(500);
    await world.proxy.tell('reset');
  });
  await world.hold(world.ms(5000, 30000));
  world.check(world.watch.fdsMax <= LIMIT + 4, `${world.watch.fdsMax} descriptors`);
  world.check(world.watch.fdsMax > LIMIT - 15, `only ${world.watch.fdsMax} descriptors were in use: the fault was never there`);
  await world.heal(async () => leave());
});
