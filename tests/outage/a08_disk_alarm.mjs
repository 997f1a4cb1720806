// A8 - a disk alarm: the broker stops reading from whoever publishes.
// Expected: blocked is seen and said, events go to the journal, consuming goes on over its own connection, and unblocked ends it.
import { alarms } from './lib/broker.mjs';
import { scenario } from './lib/scenario.mjs';

await scenario('A8', 'a disk alarm', {}, async (world) => {
  await world.warm();
  world.cleanup(alarms.diskOver);
  await world.fault('disk alarm', alarms.disk);
  await world.hold(world.ms(2500, 20000));
  await world.checkNobodyWaits();
  world.check(world.log('broker.blocked').length > 0, 'broker.blocked is not in the log');
  world.check((await world.metric('sluice_broker_blocked')) === 1, 'sluice_broker_blocked is not 1');
  await world.acknowledgedHaveArrived('consuming stopped during the alarm');
  await world.heal(alarms.diskOver);
  world.check(world.log('broker.unblocked').length > 0, 'broker.unblocked is not in the log');
});
