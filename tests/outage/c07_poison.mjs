// C7 - messages that hold no event, among good ones: another version, cut off, five bytes that claim four billion values, something else altogether, nothing at all.
// Expected: each is set aside at once, once, with its bytes; its neighbours are applied and spend no attempt. What a message is said to be changes nothing:
// an event with a wrong content type is an event.
import { packed } from '../integration/lib/producer.mjs';
import { consumed, keyOf } from './lib/applied.mjs';

const PAUSE_MS = 20;

// The n-th of its kind, as bytes that no other has; an empty one cannot differ, so all of them are one letter.
const kinds = [
  (n) => ({ bytes: packed({ v: 2 + n, id: `later_${n}`, what: 'we shall see' }), class: 'version', code: 'event.version' }),
  (n) => ({ bytes: whole(n).subarray(0, 20 + (n % 60)) }),
  (n) => ({ bytes: Buffer.from([[0xdd, 0xdf, 0xc6, 0xdb][n % 4], 0xff, 0xff, n >> 8, n & 255]) }),
  (n) => ({ bytes: Buffer.from(JSON.stringify({ id: `json_${n}`, type: 'order.1' })), contentType: 'application/json' }),
  () => ({ bytes: Buffer.alloc(0) }),
];
const whole = (n) => packed({ v: 1, id: `cut_${n}`, source: 'shop', type: 'order.1', account: '', livemode: false, occurred_at: 0, received_at: n, body: new Uint8Array(80) });

await consumed('C7', 'messages that hold no event, among good ones', { shop: { next: (n) => (n % 9 === 0 ? { properties: { contentType: 'text/plain' } } : {}) } }, async (world) => {
  await world.warm();
  const bytesOf = new Map();
  let sent = 0;
  await world.fault('poison');
  for (let n = 0; n < world.ms(60, 600); n += 1) {
    for (const kind of kinds) {
      const { bytes, contentType = 'application/msgpack', class: errorClass = 'decode', code = 'event.malformed' } = kind(n);
      world.plant(keyOf(bytes), { class: errorClass, code });
      bytesOf.set(keyOf(bytes), bytes);
      const queue = n % 2 === 0 && bytes.length > 0 ? 'stripe' : 'shop';
      await world.producer.send(`${queue}.order.1`, bytes, { messageId: `poison_${n}`, contentType });
      sent += 1;
    }
    await world.hold(PAUSE_MS);
  }
  await world.heal();
  world.atEnd(() => checkParked(world, sent, bytesOf));
});

async function checkParked(world, sent, bytesOf) {
  const rows = await world.stack.query("SELECT encode(body_sha256, 'hex'), encode(envelope, 'hex'), payload IS NULL, attempts FROM sluice_dead_letter");
  for (const [sha, envelope, hasNoPayload, attempts] of rows) {
    world.check(bytesOf.get(`bytes:${sha}`)?.equals(Buffer.from(envelope, 'hex')) && hasNoPayload === 't' && attempts === '1', `another letter than was planted: ${envelope}, attempts ${attempts}`);
  }
  const lines = () => world.stack.linesOf(world.stack.consumer, 'consumer.dead_lettered').length;
  await world.until('each is said', () => lines() >= sent); // a moment after it is done
  const parked = lines();
  const delayed = world.stack.linesOf(world.stack.consumer, 'consumer.delayed').length;
  world.check(parked === sent && delayed === 0, `${sent} messages without an event, ${parked} parked, ${delayed} tried again`);
  const spent = await world.stack.value('SELECT count(*) FROM sluice_attempt');
  world.check(spent === '0', `${spent} attempts were spent`);
  world.note(`${sent} messages without an event, parked ${parked}, tried again ${delayed}; attempts spent by neighbours ${spent}`);
}
