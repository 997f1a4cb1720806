// B1 - the exchange is there and nothing is bound for the key; then the queue that catches such events gets none either.
// Expected: first sluice.unrouted has them: 200, and a dead letter `unrouted` each. Then the broker returns them, and a return is not a success although
// its ack follows: journaled, published again by themselves once there is a queue, and no event is given up for it.
import { scenario } from './lib/scenario.mjs';

await scenario('B1', 'no queue for the key, then none for what has none', { rowsMayDiffer: true }, async (world) => {
  await world.warm();
  await world.broker.unbind('sluice.events', 'sluice.billing');
  const unbound = Date.now();
  await world.hold(1500);
  const answers = world.load.answers.filter((one) => one.at > unbound && one.status !== 400);
  world.check(answers.length > 20 && answers.every((one) => one.status === 200), `without a binding, ${answers.filter((one) => one.status !== 200).length} of ${answers.length} answers were not 200`);
  await world.until('unrouted events are dead letters', async () => Number(await world.stack.value("SELECT count(*) FROM sluice_dead_letter WHERE reason = 'unrouted'")) > 20);

  await world.fault('sluice.unrouted unbound', () => world.broker.unbind('sluice.unrouted', 'sluice.unrouted'));
  await world.hold(world.ms(3000, 20000));
  const during = world.load.statistics('fault', (one) => one.at > world.faultMadeAt + 500);
  world.check((during.byStatus[202] ?? 0) > 20 && during.byStatus[200] === undefined, `with no queue at all, answers were ${JSON.stringify(during.byStatus)}`);
  await world.heal(() => world.stack.sluice('topology', 'apply'));
  await world.checkNoPoison();
});
