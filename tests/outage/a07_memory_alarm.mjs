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
  world.check(world.log('broker.blocked').length > 0, 'broker.blocked is not in the log');
  world.check((await world.metric('sluice_broker_blocked')) === 1, 'sluice_broker_blocked is not 1');
  await world.acknowledgedHaveArrived('consuming stopped during the alarm');
  await world.heal(alarms.memoryOver);
  world.check(world.log('broker.unblocked').length > 0, 'broker.unblocked is not in the log');
});
