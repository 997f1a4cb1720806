// B6 - an event goes to two queues, and one of them refuses it.
// Expected: that is a failure of the whole: journaled and published again; the queue that took it sees it twice and knows it.
import { scenario } from './lib/scenario.mjs';

await scenario('B6', 'one of two queues refuses', {}, async (world) => {
  await world.warm();
  const duplicates = await world.duplicates();
  await world.broker.api('PUT', '/api/queues/%v/outage.second', { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-max-length': 1, 'x-overflow': 'reject-publish' } });
  await world.fault('a second, full queue', () => world.broker.api('POST', '/api/bindings/%v/e/sluice.events/q/outage.second', { routing_key: 'stripe.#' }));
  await world.hold(world.ms(4000, 20000));
  world.check((await world.count(/^sluice_publish_total\{outcome="nacked"\}/)) > 0, 'nothing was nacked: the fault was never there');
  await world.heal(() => world.broker.deleteQueue('outage.second'));
  await world.checkNoPoison();
  world.atEnd(async () => world.check((await world.duplicates()) > duplicates, 'the queue that took them saw nothing twice'));
});
