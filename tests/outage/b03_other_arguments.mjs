// B3 - a queue was made by somebody else, with other arguments.
// Expected: `sluice topology apply` refuses with the difference and changes nothing; the publisher, which declares nothing, goes on confirming.
import { scenario } from './lib/scenario.mjs';

await scenario('B3', 'a queue has other arguments than the topology says', { degrades: false }, async (world) => {
  await world.warm();
  await world.fault('sluice.billing.parked made anew as a classic queue', async () => {
    await world.broker.deleteQueue('sluice.billing.parked'); // empty: there is no dead letter in this world
    await world.broker.api('PUT', '/api/queues/%v/sluice.billing.parked', { durable: true, arguments: { 'x-queue-type': 'classic' } });
  });
  const refusal = await world.stack.sluice('topology', 'apply').then(() => 'it was applied', (error) => `${error.stdout}${error.stderr}`);
  world.check(/sluice\.billing\.parked/.test(refusal) && /x-queue-type/.test(refusal), `topology apply says ${refusal}`);
  await world.hold(1500);
  const during = world.load.statistics('fault');
  world.check(during.byStatus[202] === undefined && during.byStatus[503] === undefined, `answers were ${JSON.stringify(during.byStatus)}`);
  await world.heal(async () => {
    await world.broker.deleteQueue('sluice.billing.parked');
    await world.stack.sluice('topology', 'apply');
  });
});
