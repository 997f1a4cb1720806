// C3 - the broker is gone between the copy of a failed event and the acknowledgement of its original, again and again under load: before the copy has arrived, before its
// confirm has, before the acknowledgement has. Copies for a later try, and those of what is given up.
// Expected: the original comes again whatever the copy's fate; nothing is lost, a copy made twice is known the second time, what is given up is one letter.
import { isMethod, FrameProxy, tagOf, tagsOf } from './lib/frames.mjs';
import { consumed, keepBreakersClosed } from './lib/applied.mjs';

const EVERY = 5; // copies, of which one meets the end
const RATE = 80;
const WAITS_MS_MAX = 240000;

const kinds = ['before the copy', 'before its confirm', 'before the acknowledgement'];

function next(n) {
  if (n % 20 === 3) return { id: `refused_${n}`, body: { raise: 'SLBAD' } };
  return n % 10 === 7 ? { id: `again_${n}`, body: { raise: 'SLRTY', until: 2 } } : {};
}

let frames;

await consumed('C3', 'the broker is gone between a copy and the acknowledgement', {
  consumer: { QUEUE_BACKOFF_DELAY: '1000' },
  rate: RATE,
  shop: { rate: RATE, next },
  async beforeStart(world) {
    frames = await FrameProxy.start(Number(world.stack.servers.STACK_AMQP_PORT));
    world.cleanupAfterAll(() => frames.stop());
    world.stack.consumerEnvironment.AMQP_URL = world.brokerAt(frames.port);
  },
}, async (world) => {
  await keepBreakersClosed(world);
  await world.warm();
  const ends = [];
  await world.fault('the broker is gone in between', () => arm(ends));
  await world.until('each kind was seen', () => kinds.every((kind) => ends.filter((end) => end === kind).length >= world.ms(2, 40)), WAITS_MS_MAX);
  await world.heal(() => {
    frames.up = (frame) => [frame.bytes];
    frames.down = frames.up;
  });
  for (const id of world.load.events.keys()) if (id.startsWith('refused_')) world.plant(id, { class: 'permanent', code: 'SLBAD', attempts: 1 });
  world.atEnd(() => checkAgain(world, ends));
});

// One after the other, each when everybody is connected again: an end is that of every connection, as seen from the consumer.
function arm(ends) {
  let copies = 0;
  let isEnding = false; // nothing goes through any more
  let dying; // name of the worker whose copy is confirmed: its next acknowledgement does not arrive
  const isNow = (kind) => copies >= EVERY && kinds[ends.length % kinds.length] === kind;
  const end = () => {
    ends.push(kinds[ends.length % kinds.length]);
    [copies, isEnding, dying] = [0, true, undefined];
    setImmediate(() => {
      frames.reset();
      isEnding = false;
    });
    return [];
  };
  frames.up = (frame, session) => {
    if (isEnding) return [];
    const isCopy = isMethod(frame, 60, 40);
    copies += isCopy;
    if ((isCopy && isNow(kinds[0])) || (tagOf(frame) !== undefined && session.name === dying)) return end();
    return [frame.bytes];
  };
  frames.down = (frame, session) => {
    if (isEnding) return [];
    const isConfirm = tagsOf(frame, session) !== undefined;
    if (isConfirm && isNow(kinds[1])) return end();
    if (isConfirm && isNow(kinds[2])) dying = session.name;
    return [frame.bytes];
  };
}

async function checkAgain(world, ends) {
  const { stack } = world;
  const [redelivered, known] = [await world.count(/^sluice_consumer_redelivered_total/, stack.consumerPort), await world.duplicates()];
  world.check(redelivered > 0 && known > 0, `${redelivered} came again, ${known} of them were known`);
  const anew = await stack.value("SELECT count(*) FROM (SELECT FROM sluice_attempt WHERE event_id LIKE 'again\\_%' AND attempt = 1 GROUP BY event_id HAVING count(*) > 1) AS twice");
  world.note(`${ends.length} ends (${kinds.map((kind) => `${kind} ${ends.filter((end) => end === kind).length}`).join(', ')}); came again ${redelivered}, known ${known}, first tries made again ${anew}`);
}
