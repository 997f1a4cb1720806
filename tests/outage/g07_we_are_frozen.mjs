// G7 - our own process is stopped and goes on later: its connections may be stale, its deadlines have passed.
// Expected: what it took before is answered for what it is when it goes on: nothing 2xx without a store; the broker's verdict on the old connection is
// accepted; service goes on by itself.
import { scenario } from './lib/scenario.mjs';

await scenario('G7', 'the publisher itself is frozen', { mayCutConnections: true, degrades: false, deadlineMs: 120000 }, async (world) => {
  await world.warm();
  const { publisher } = world.stack;
  world.cleanup(async () => publisher.kill('SIGCONT'));
  await world.fault('SIGSTOP', () => publisher.kill('SIGSTOP'));
  await world.hold(world.ms(5000, 60000)); // the long form outlasts the broker's patience: it has closed the connection by then
  await world.heal(() => publisher.kill('SIGCONT'));
});
