// A7 - a memory alarm: the broker stops reading from whoever publishes.
// Expected: blocked is seen and said, events go to the journal, consuming goes on over its own connection, and unblocked ends it.
import { alarms } from './lib/broker.mjs';
import { scenario } from './lib/scenario.mjs';

await scenario('A7', 'a memory alarm', {}, async (world) => {
  await world.warm();
  world.cleanup(alarms.memoryOver);
  await world.fault('memory alarm', alarms.memory);
  await world.hold(world.ms(2500, 20000));
  await world.checkNobodyWaits();
  await world.until('broker.blocked is in the log', () => world.log('broker.blocked').length > 0);
  await world.until('sluice_broker_blocked is 1', async () => (await world.metric('sluice_broker_blocked')) === 1);
  await world.acknowledgedHaveArrived('consuming stopped during the alarm');
  await world.heal(alarms.memoryOver);
  await world.until('broker.unblocked is in the log', () => world.log('broker.unblocked').length > 0);
});
