// B8 - acknowledgements as the protocol allows them and no quiet broker sends them: in any order, many at once; then as it forbids them: a tag
// twice, a tag that was never given. The publishes and their storage are a real broker's.
// Expected: order and multiple change nothing; a tag that is not outstanding is a protocol error: the connection ends, what it carried is unknown, journaled
// and published again.
import { ack, FrameProxy, tagsOf } from './lib/frames.mjs';
import { scenario } from './lib/scenario.mjs';

const PACK_MS = 25;
let frames;

// Collects acknowledged tags for a moment, then says the same in another way: everything up to the first gap with one multiple, the rest singly and shuffled.
function rearrange(session) {
  const held = session.held.sort((a, b) => a - b);
  session.held = [];
  session.timer = undefined;
  if (session.client.destroyed) return;
  const open = [...session.unanswered];
  const firstOpen = open.length > 0 ? Math.min(...open) : Infinity;
  const prefix = held.filter((tag) => tag < firstOpen);
  const rest = held.filter((tag) => tag > firstOpen).map((tag) => [Math.random(), tag]).sort((a, b) => a[0] - b[0]).map(([, tag]) => tag);
  const half = prefix.splice(0, prefix.length >> 1);
  for (const tag of [...rest, ...prefix.reverse()]) session.client.write(ack(tag));
  if (half.length > 0) session.client.write(ack(half[half.length - 1], true));
  frames.multiple += half.length > 1 ? 1 : 0;
  frames.outOfOrder += rest.length + prefix.length > 1 ? 1 : 0;
}

function rearranged(frame, session) {
  const tags = tagsOf(frame, session);
  if (tags === undefined) return [frame.bytes];
  session.held = [...(session.held ?? []), ...tags];
  session.timer ??= setTimeout(rearrange, PACK_MS, session);
  return [];
}

// Every hundredth acknowledgement is followed by one that must not be.
const wrong = (tagOf) => (frame, session) => {
  const tags = tagsOf(frame, session);
  if (tags === undefined) return [frame.bytes];
  const good = tags.map((tag) => ack(tag));
  frames.acks += tags.length;
  return frames.acks % 100 < tags.length ? [...good, ack(tagOf(tags[0], session))] : good;
};

await scenario('B8', 'acknowledgements out of order, many at once, twice, unknown', {
  flaps: true,
  async beforeStart(world) {
    frames = await FrameProxy.start(Number(world.stack.servers.STACK_AMQP_PORT));
    Object.assign(frames, { multiple: 0, outOfOrder: 0, acks: 0 });
    world.cleanup(() => frames.stop());
    return { AMQP_URL: world.brokerAt(frames.port) };
  },
}, async (world) => {
  await world.warm();
  frames.reset(); // tags are counted from the start of a connection
  frames.down = rearranged;
  await world.hold(world.ms(3000, 20000));
  world.note(`${frames.multiple} acknowledgements for many, ${frames.outOfOrder} times out of order`);
  world.check(frames.multiple > 5 && frames.outOfOrder > 5, 'nothing was rearranged');
  world.check(world.log('broker.lost').length <= 1, 'order and multiple ended a connection');

  await world.fault('a tag twice', () => { frames.down = wrong((tag) => tag); });
  await world.hold(world.ms(1500, 10000));
  frames.down = wrong((tag, session) => session.published + 1000);
  await world.hold(world.ms(1500, 10000));
  const lost = world.log('broker.lost').filter((line) => line.error_code === 'amqp.protocol');
  world.check(lost.length >= 1 && lost.every((line) => /not outstanding/.test(line.error)), `the log says ${lost.map((line) => line.error)}`);
  await world.heal(() => { frames.down = (frame) => [frame.bytes]; });
});
