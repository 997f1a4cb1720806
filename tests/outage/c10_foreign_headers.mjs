// C10 - messages that carry what other stacks leave on what they gave up: RabbitMQ's own deaths, Spring, NServiceBus, MassTransit, Celery and more; some of them
// events that fail, some copies of what the door took.
// Expected: each is tried as any other, retried through the delays without being taken for a cycle, given up at its own last try; a copy is known. None of it
// travels on.
import { foreign } from '../integration/lib/foreign.mjs';
import { copiesOf } from '../integration/lib/producer.mjs';
import { consumed, keepBreakersClosed } from './lib/applied.mjs';

const ATTEMPTS = 3;
const stacks = Object.keys(foreign);

const ROUND = 20; // events of one of them until its fates begin again

// Every fourth event has such headers; of five of those one fails for good, one fails once, one twice.
function strange(n) {
  if (n % 4 !== 0) return {};
  const stack = stacks[(n / 4) % stacks.length];
  const [what, body] = [['never', { raise: 'SLRTY' }], ['strange', { raise: 'SLRTY', until: 2 }], ['strange', { raise: 'SLRTY', until: 3 }]][(n / 4) % 5] ?? ['strange', {}];
  return { id: `${what}_${stack}_${n}`, body, properties: { headers: foreign[stack] } };
}

await consumed('C10', "other stacks' headers of failure and death", {
  consumer: { QUEUE_BACKOFF_DELAY: '1000' },
  sections: { shop: `attempts = ${ATTEMPTS}\n` },
}, async (world) => {
  const { connection } = world.producer;
  const due = await copiesOf(connection, 'sluice.due');
  const parked = await copiesOf(connection, 'sluice.parked', 'shop');
  const door = await copiesOf(connection, 'sluice.events', 'stripe.#');
  await keepBreakersClosed(world);
  await world.warm();
  await world.fault('strangers publish', () => { world.shop.next = strange; });
  let copied = 0;
  const enough = world.shop.count + ROUND * stacks.length; // each of them with each fate, however slow the machine
  for (let n = 0; n < world.ms(30, 600) || world.shop.count < enough || copied === 0; n += 1) {
    await world.hold(100);
    copied += await copyOf(world, door.splice(0), stacks[n % stacks.length]);
  }
  await world.heal(() => { world.shop.next = () => ({}); });
  for (const id of world.load.events.keys()) if (id.startsWith('never_')) world.plant(id, { class: 'item', code: 'SLRTY', attempts: ATTEMPTS });
  world.atEnd(() => checkTravels(world, { due, parked, copied }));
});

// Every fifth of the door's events comes a second time, by way of a stranger.
async function copyOf(world, events, stack) {
  const some = events.filter((message, n) => n % 5 === 0 && message.properties.appId === 'sluice');
  await Promise.all(some.map(({ content, fields, properties }) => world.producer.send(fields.routingKey, content, { messageId: properties.messageId, headers: foreign[stack] })));
  return some.length;
}

async function checkTravels(world, { due, parked, copied }) {
  const names = new Set(Object.values(foreign).flatMap((headers) => Object.keys(headers)));
  const added = (name) => /^x-(death|first-death-|last-death-)/.test(name); // by the broker, on its way through the levels
  const isStrange = ({ properties: { headers } }, isDue) => Object.keys(headers).some((name) => names.has(name) && !(isDue && added(name)))
    || (headers['x-death'] ?? []).some(({ count, queue }) => count !== 1 || !queue.startsWith('sluice.delay.'));
  const travelled = [...due.filter((message) => isStrange(message, true)), ...parked.filter((message) => isStrange(message, false))];
  world.check(travelled.length === 0, `${travelled.length} copies carry what a stranger wrote: ${JSON.stringify(travelled[0]?.properties.headers)}`);
  const tries = Object.fromEntries(stacks.map((stack) => [stack, due.filter((message) => message.properties.messageId.includes(`_${stack}_`)).length]));
  world.check(Object.values(tries).every((count) => count > 0), `of some stacks nothing was tried again: ${JSON.stringify(tries)}`);
  const given = new Set(parked.map((message) => message.properties.messageId)).size;
  world.check(given === world.planted.size, `${given} events went to the letters, ${world.planted.size} were planted`);
  const known = await world.duplicates();
  world.check(copied > 0 && known >= copied, `${copied} copies, ${known} of them known`);
  const strangers = [...world.load.events.keys()].filter((id) => /^(strange|never)_/.test(id)).length;
  world.note(`${strangers} events with strange headers, tried again ${JSON.stringify(tries)}, given up ${given}; ${copied} copies of the door's events, known ${known}`);
}
