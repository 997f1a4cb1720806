// D8 - somebody's transaction holds a table of the billing handler, longer than a statement may wait for a lock, under load.
// Expected: the wait ends by lock_timeout, is nobody's fault, and is tried again in the process; the other subsystem goes on meanwhile; when the lock is gone everything is
// applied. No attempt is spent, nothing is given up.
import { consumed } from './lib/applied.mjs';
import { neighboursSpendNothing } from './lib/tries.mjs';

await consumed('D8', 'a table is locked by somebody else', {}, async (world) => {
  neighboursSpendNothing(world);
  await world.warm();
  const applied = async () => Number(await world.stack.value('SELECT count(*) FROM shop_applied'));
  let release = () => {};
  world.cleanup(async () => release());
  await world.fault('a lock', async () => { release = await world.stack.lock('LOCK TABLE billing_customer IN EXCLUSIVE MODE'); });
  const before = await applied();
  await world.until('a wait has ended by lock_timeout', () => world.stack.linesOf(world.stack.consumer, 'consumer.retry').some(({ subsystem, sqlstate }) => subsystem === 'billing' && sqlstate === '55P03'), 60000);
  await world.until('the other subsystem goes on', async () => (await applied()) > before + 100);
  await world.hold(world.ms(2000, 60000));
  world.check(world.stack.consumer.exitCode === null, 'the consumer has ended');
  await release();
  await world.heal();
});
