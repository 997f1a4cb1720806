// F14 - the broker is away until the journal's quota is reached.
// Expected: new events are refused (503) and /readyz says why; the oldest is never dropped; draining works although there is no room; then it takes again.
import { signature } from '../integration/lib/sender.mjs';
import { scenario } from './lib/scenario.mjs';

const BODY_BYTES = 900000; // the least quota is 128 MiB

await scenario('F14', 'the journal reaches its quota', { proxy: true, rate: 100, publisher: { SLUICE_JOURNAL_MAX: '128MiB' } }, async (world) => {
  await world.warm();
  await world.fault('broker away', () => world.proxy.tell('down'));
  let sent = 0;
  await world.until('it refuses', async () => {
    await Promise.all(Array.from({ length: 3 }, () => big(world, `evt_big_${(sent += 1)}`)));
    return (world.load.statistics('fault').byStatus[503] ?? 0) > 20;
  }, 90000);
  world.note(`refuses after ${Math.round((await world.metric('sluice_journal_bytes')) / (1 << 20))} MiB`);
  world.check((await world.metric('sluice_journal_bytes')) > 100 << 20, 'it refuses long before the quota');
  await world.until('/readyz is 503, as small events find no room either', async () => (await readiness(world)).status === 503, 60000);
  world.note(`/readyz: ${(await readiness(world)).said.trim()}`);
  await world.hold(world.ms(1000, 10000));
  await world.heal(() => world.proxy.tell('up'));
  await world.until('/readyz is 200 again', async () => (await readiness(world)).status === 200, 10000);
});

async function readiness(world) {
  const answer = await fetch(`${world.stack.url}/readyz`);
  return { status: answer.status, said: await answer.text() };
}

async function big(world, id) {
  const body = JSON.stringify({ id, object: 'event', type: 'outage.big', created: 1750000000, data: { object: { id, filler: 'y'.repeat(BODY_BYTES) } } });
  const event = world.load.record(id, body);
  const answer = await world.load.post(body, signature(world.stack.secret, body));
  event.statuses.push(answer.status);
  if (answer.status !== 202) world.load.retries.push({ due: Date.now() + 5000, event });
}
