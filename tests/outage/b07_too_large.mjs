// B7 - the broker takes no message larger than some events: it closes the channel (406) at each, live or replayed.
// Expected: the first one costs one connection; from then on such events are known. They are kept (202), and set aside in poison/ with a finding each,
// and nothing behind them waits. When the broker takes them again, and the connection was made anew, they are published like any other.
import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { signature } from '../integration/lib/sender.mjs';
import { rabbitmqctl } from './lib/broker.mjs';
import { scenario } from './lib/scenario.mjs';

const LIMIT = 20000; // above every event of the load
const WHOLE = 134217728; // what RabbitMQ 3.10 takes
const COUNT = 12;

const limitTo = (bytes) => rabbitmqctl('eval', `application:set_env(rabbit, max_message_size, ${bytes}).`);

await scenario('B7', 'events larger than the broker takes', { flaps: true, degradedWithinMs: 20000 }, async (world) => {
  // Channels know the limit they were opened with.
  const limit = async (bytes) => {
    await limitTo(bytes);
    await rabbitmqctl('close_all_connections', '--vhost', world.stack.name, 'another limit');
  };
  let applied = new Map();
  world.cleanupAfterAll(() => limitTo(WHOLE));
  await world.warm();
  const poisoned = async () => (await world.metric('sluice_journal_poisoned_total')) ?? 0;
  const big = [];
  await world.fault(`max_message_size ${LIMIT}`, () => limit(LIMIT));
  await world.until('the broker confirms again', async () => (await world.watch.ask('/health')).body?.status === 'ok', 30000);

  // Two at a time first: nobody is to blame for its neighbour.
  for (let i = 0; i < COUNT; i += 2) {
    big.push(...(await Promise.all([0, 1].map((n) => send(world, `evt_too_large_${i + n}`)))));
  }
  await world.until('all of them are set aside', async () => (await poisoned()) === COUNT, 60000);
  await world.until('what was kept beside them is published', async () => (await world.metric('sluice_journal_events')) === 0, 60000);
  world.check(big.every((status) => status === 202), `they were answered ${big}`);
  await world.hold(world.ms(2000, 20000));
  const closed = world.log('broker.lost').filter((line) => line.error_code === 'amqp.too_large');
  world.check(closed.length >= 1 && closed.length <= 3, `the broker closed ${closed.length} channels for their size`);
  const found = world.log('journal.finding').filter((line) => line.finding === 'poisoned');
  world.check(found.length === COUNT, `${found.length} findings for ${COUNT} events set aside`);
  world.check((await poisoned()) === COUNT, 'an event was set aside that the broker takes');
  const aside = new Set(await world.setAside());
  world.check(big.every((status, i) => aside.has(`evt_too_large_${i}`)) && aside.size === COUNT, `poison/ holds ${[...aside]}`);

  await world.heal(() => limit(WHOLE));
  await world.until('such an event is published again', async () => (await send(world, 'evt_no_longer_too_large')) === 200, 20000);
  await world.until('what was set aside is published by hand', () => publishAside(world), 60000);
  await world.until('and applied', async () => [...aside, 'evt_no_longer_too_large'].every((id) => applied.has(id)) || !(applied = await world.stored()), 60000);
});

async function send(world, id) {
  const body = JSON.stringify({ id, object: 'event', type: 'outage.large', created: 1750000000, data: { object: { id: 'large', filler: 'x'.repeat(2 * LIMIT) } } });
  const event = world.load.events.get(id) ?? world.load.record(id, body);
  const answer = await world.load.post(body, signature(world.stack.secret, body));
  event.statuses.push(answer.status);
  return answer.status;
}

// runbooks/journal.md: each file in poison/ is a segment, so a folder of such files is a journal.
async function publishAside(world) {
  const dir = path.join(world.stack.dir, 'again');
  mkdirSync(dir, { mode: 0o700 });
  cpSync(path.join(world.stack.dir, 'journal', 'poison'), path.join(dir, 'journal'), { recursive: true });
  await world.stack.sluice('journal', 'replay', '--state-dir', dir, '--yes');
  return true;
}
