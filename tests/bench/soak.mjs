// soak - memory of both programs over many events under full load: flat, or growing?
//
// wrk sends the same events again and again, so after the first pass the consumer sees duplicates; decoding, reading and claiming are the same.
import { until } from '../integration/lib/stack.mjs';
import { spread, usage } from './measure.mjs';

const PASS_EVENTS = 20000;

export async function soak(world) {
  const { stack, options } = world;
  await world.purge();
  await world.emptyTables();
  const bodies = world.bodies('soak', PASS_EVENTS);
  await stack.startPublisher();
  await stack.startConsumer();
  const looks = [];
  let events = 0;
  while (events < options.soak) {
    events += (await world.wrk(bodies, 128, stack.httpPort)).requests;
    const seen = await drained(world, events);
    looks.push({ events: seen, publisher: usage(stack.publisher.pid).rssAnonMb, consumer: usage(stack.consumer.pid).rssAnonMb });
    console.error(`  ${seen} events: publisher ${looks.at(-1).publisher.toFixed(1)} MB, consumer ${looks.at(-1).consumer.toFixed(1)} MB`);
  }
  await stack.terminate(stack.publisher);
  await stack.terminate(stack.consumer);
  // Warm is what it is after a fifth of the events.
  const warm = looks.find((one) => one.events >= options.soak / 5);
  return {
    soak_events: spread([events]),
    publisher_rss_growth: spread([looks.at(-1).publisher / warm.publisher]),
    consumer_rss_growth: spread([looks.at(-1).consumer / warm.consumer]),
  };
}

async function drained(world, events) {
  const { stack } = world;
  return until('the consumer has settled everything', async () => {
    const counts = await Promise.all(['applied', 'duplicate', 'stale'].map((one) =>
      stack.metric(`sluice_consumer_deliveries_total{subsystem="billing",outcome="${one}"}`, stack.consumerPort)));
    const settled = counts.reduce((sum, one) => sum + (one ?? 0), 0);
    return settled >= events && settled;
  }, 300000);
}
