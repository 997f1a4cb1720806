// C13 - acknowledgements as the protocol forbids them, between a real consumer and a real broker, again and again under load: twice, of a tag that was never given,
// on another channel; beside the right one, or in its place. On every link that acknowledges: those of the workers and that of the letters.
// Expected: the broker ends the channel (406) or the connection (503; 530 for a channel past those agreed on, after which a worker rests for half a minute); the
// consumer says so and connects again, everything in hand is delivered again; nothing is lost, nothing is applied twice, no attempt is spent, nothing is given up
// that was not to be.
import { ack, FrameProxy, tagOf } from './lib/frames.mjs';
import { consumed, keepBreakersClosed } from './lib/applied.mjs';

const EVERY = { parker: 4 }; // acknowledgements of a link, of which one is wrong
const EVERY_OTHER = 20;
const UNKNOWN = 100000; // so far from the right tag
const RESTING = 'billing-1'; // the worker that meets the refusal: the other one goes on

const wrong = {
  twice: (bytes) => [bytes, bytes],
  unknown: (bytes, tag) => [bytes, ack(tag + UNKNOWN)],
  'unknown instead': (bytes, tag) => [ack(tag + UNKNOWN)],
  'everything up to unknown': (bytes, tag) => [bytes, ack(tag + UNKNOWN, true)],
  'channel 0': (bytes, tag) => [bytes, ack(tag, false, 0)],
  'channel 0 instead': (bytes, tag) => [ack(tag, false, 0)],
  'channel 2': (bytes, tag) => [bytes, ack(tag, false, 2)],
};
const kinds = Object.keys(wrong).filter((kind) => kind !== 'channel 2');

// Among the events some are given up at once, so that letters are acknowledged, some are tried twice, so that copies are, and some take longer than a new connection
// does, so that what they were delivered on is gone when they are done.
function next(n) {
  if (n % 100 === 50) return { body: { sleep: 1 } };
  if (n % 20 === 3) return { id: `refused_${n}`, body: { raise: 'SLBAD' } };
  return n % 20 === 7 ? { id: `again_${n}`, body: { raise: 'SLRTY', until: 2 } } : {};
}

let frames;
const LINKS = 5; // two workers each, and the letters

await consumed('C13', 'acknowledgements twice, unknown, on another channel', {
  consumer: { QUEUE_BACKOFF_DELAY: '1000' },
  shop: { next },
  async beforeStart(world) {
    frames = await FrameProxy.start(Number(world.stack.servers.STACK_AMQP_PORT));
    world.cleanupAfterAll(() => frames.stop());
    world.stack.consumerEnvironment.AMQP_URL = world.brokerAt(frames.port);
  },
}, async (world) => {
  await keepBreakersClosed(world);
  await world.warm();
  const done = { faults: [], sessions: new Set() };
  await world.fault('wrong acknowledgements', () => { frames.up = wrongNow(done); });
  const links = () => new Set(done.faults.map((fault) => fault.link));
  await world.until('each kind was seen, on every link', () => kinds.every((kind) => done.faults.filter((fault) => fault.kind === kind).length >= world.ms(2, 6)) && links().size === LINKS, 240000);
  await world.heal(() => { frames.up = (frame) => [frame.bytes]; });
  for (const id of world.load.events.keys()) if (id.startsWith('refused_')) world.plant(id, { class: 'permanent', code: 'SLBAD', attempts: 1 });
  world.atEnd(() => checkAgain(world, done.faults));
});

// Each kind in turn; of one connection one acknowledgement is wrong, since nothing behind it is heard.
function wrongNow({ faults, sessions }) {
  const seen = new Map(); // acknowledgements by link
  return (frame, session) => {
    const tag = tagOf(frame);
    if (tag === undefined || sessions.has(session.number)) return [frame.bytes];
    const [, link] = session.name.split('/');
    seen.set(link, (seen.get(link) ?? 0) + 1);
    if (seen.get(link) % (EVERY[link] ?? EVERY_OTHER) !== 0) return [frame.bytes];
    const isFirstOfResting = link === RESTING && !faults.some((fault) => fault.link === link);
    const kind = isFirstOfResting ? 'channel 2' : kinds[faults.length % kinds.length];
    sessions.add(session.number);
    faults.push({ kind, link });
    return wrong[kind](frame.bytes, tag);
  };
}

async function checkAgain(world, faults) {
  const { stack } = world;
  await world.until('each is said', () => stack.linesOf(stack.consumer, 'broker.lost').length >= faults.length); // a moment after it is done
  const lost = stack.linesOf(stack.consumer, 'broker.lost');
  const of = (code) => lost.filter((line) => line.error_code === code).length;
  const channel0 = faults.filter((fault) => fault.kind.startsWith('channel 0')).length;
  world.check(of('amqp.protocol') === channel0 && of('amqp.refused') === 1 && of('amqp.precondition') === faults.length - channel0 - 1,
    `${faults.length} wrong acknowledgements, ${channel0} of them on channel 0; ${lost.length} connections ended: ${lost.map((line) => `${line.link} ${line.error_code} ${line.error}`).slice(0, 5).join('; ')}`);
  const redelivered = await world.count(/^sluice_consumer_redelivered_total/, stack.consumerPort);
  const known = await world.duplicates();
  world.check(redelivered > 0 && known > 0, `${redelivered} came again, ${known} of them were known`);
  const spent = await stack.value("SELECT count(*) FROM sluice_attempt WHERE event_id NOT LIKE 'refused_%' AND event_id NOT LIKE 'again_%'");
  world.check(spent === '0', `${spent} attempts were spent by events that did not fail`);
  const links = [...new Set(faults.map((fault) => fault.link))].map((link) => `${link} ${faults.filter((fault) => fault.link === link).length}`);
  world.note(`${faults.length} wrong acknowledgements (${links.join(', ')}), each ended its connection: 406 ${of('amqp.precondition')}, 503 ${of('amqp.protocol')}, 530 ${of('amqp.refused')}; came again ${redelivered}, known ${known}`);
}
