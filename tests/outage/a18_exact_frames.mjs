// A18 - envelopes whose size is an exact multiple of what a frame carries, one byte less, one byte more.
// Expected: no stall at the seam: they take as long as their neighbours, and arrive whole.
import { createHash } from 'node:crypto';
import { signature } from '../integration/lib/sender.mjs';
import { scenario } from './lib/scenario.mjs';

const FRAME_PAYLOAD = 131072 - 8; // frame_max as RabbitMQ tunes it, less head and end
const ROUNDS = 12;
const STALL_MS = 150;

await scenario('A18', 'bodies that fill frames exactly', { degrades: false, rate: 20 }, async (world) => {
  await world.warm();
  await world.fault('exact sizes', () => {});
  const median = {};
  for (const frames of [1, 2, 4]) {
    const overhead = await envelopeBytes(world);
    for (const off of [-1, 0, 1]) {
      const times = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const id = `evt_exact_${frames}_${off + 1}_${String(round).padStart(2, '0')}`;
        times.push(await send(world, id, frames * FRAME_PAYLOAD - overhead + off));
      }
      median[`${frames}${off < 0 ? '-1' : off > 0 ? '+1' : ''}`] = Math.round(times.sort((a, b) => a - b)[ROUNDS >> 1]);
    }
    const [less, exact, more] = [median[`${frames}-1`], median[String(frames)], median[`${frames}+1`]];
    world.check(exact < Math.max(less, more) + STALL_MS, `${frames} full frames take ${exact} ms, their neighbours ${less} and ${more}`);
  }
  world.note(`median ms by frames: ${JSON.stringify(median)}`);
  await world.heal();
});

function bodyOf(id, bytes) {
  const frame = JSON.stringify({ id, object: 'event', type: 'outage.exact', created: 1750000000, data: { object: { id: 'exact', filler: '' } } });
  return `${frame.slice(0, -4)}${'x'.repeat(bytes - frame.length)}"}}}`;
}

async function send(world, id, bytes) {
  const body = bodyOf(id, bytes);
  const event = world.load.record(id, body);
  const answer = await world.load.post(body, signature(world.stack.secret, body));
  event.statuses.push(answer.status);
  world.check(answer.status === 200, `an event of ${bytes} bytes was answered ${answer.status}`);
  world.atEnd(async () => {
    const digest = createHash('sha256').update(body).digest('hex');
    const [[stored]] = await world.stack.query(`SELECT encode(sha256(body), 'hex') FROM sluice_inbox WHERE event_id = '${id}'`);
    world.check(stored === digest, `${id} did not arrive whole`);
  });
  return world.load.answers.at(-1).ms;
}

// What the envelope adds to a body of such an event: asked of the broker, once, by a queue of our own.
async function envelopeBytes(world) {
  if (world.envelope !== undefined) return world.envelope;
  await world.broker.api('PUT', '/api/queues/%v/outage.probe', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await world.broker.api('POST', '/api/bindings/%v/e/sluice.events/q/outage.probe', { routing_key: 'stripe.outage.exact' });
  const bytes = 70000; // of the same class of length fields as the big ones
  await send(world, 'evt_exact_0_0_00', bytes);
  let message;
  await world.until('the probe is in its queue', async () => {
    [message] = await world.broker.api('POST', '/api/queues/%v/outage.probe/get', { count: 1, ackmode: 'ack_requeue_false', encoding: 'base64' });
    return message;
  }, 20000);
  await world.broker.deleteQueue('outage.probe');
  world.envelope = message.payload_bytes - bytes;
  world.note(`the envelope adds ${world.envelope} bytes`);
  return world.envelope;
}
