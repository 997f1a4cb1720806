// A9 - a memory alarm is on before the publisher connects.
// Expected: the start does not hang; the first publish finds out; events are journaled until the alarm is over.
import { alarms } from './lib/broker.mjs';
import { scenario } from './lib/scenario.mjs';

await scenario('A9', 'an alarm before the start', {
  startsDegraded: true,
  async beforeStart(world) {
    world.cleanup(alarms.memoryOver);
    await alarms.memory();
  },
}, async (world) => {
  await world.until('the publisher is ready', async () => (await fetch(`${world.stack.url}/readyz`)).status === 200, 10000);
  await world.fault('the alarm was on before us', () => {});
  await world.hold(world.ms(4000, 20000));
  await world.checkNobodyWaits();
  await world.heal(alarms.memoryOver);
});
