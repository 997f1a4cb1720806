// A16 - the broker says what no broker should: frames too small to use and too large to hold, a body of 2^63 bytes, a table 20,000 deep, cut frames, wrong
// ends, unknown methods, a channel nobody opened. Each connection gets one of them; what passes is a real broker's.
// Expected: the connection is dropped and named in the log; no crash, no memory for what was only announced; the events are journaled.
import { BODY, frame, FrameProxy, HEADER, isMethod, METHOD, method } from './lib/frames.mjs';
import { scenario } from './lib/scenario.mjs';

const shortText = (text) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
const longText = (text) => Buffer.concat([u32(text.length), Buffer.from(text)]);
const u32 = (number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
};

// Tables in tables, from the inside.
function deepTable(depth) {
  const heads = [];
  for (let i = 0, size = 0; i < depth; i += 1) {
    heads.push(Buffer.concat([Buffer.from([1, 0x61, 0x46]), u32(size)]));
    size += 7;
  }
  return Buffer.concat([u32(depth * 7), ...heads.reverse()]);
}

const tune = (frameMax) => (one) => {
  const bytes = Buffer.from(one.bytes);
  bytes.writeUInt32BE(frameMax, 7 + 4 + 2);
  return [bytes];
};
const returned = (size) => {
  const fields = Buffer.concat([Buffer.from([1, 56]), shortText('NO_ROUTE'), shortText('sluice.events'), shortText('stripe.x')]);
  const header = Buffer.alloc(14);
  header.writeUInt16BE(60, 0);
  header.writeBigUInt64BE(size, 4);
  return [frame(METHOD, 1, method(60, 50, fields)), frame(HEADER, 1, header), frame(BODY, 1, Buffer.alloc(1000))];
};
const isStart = (one) => isMethod(one, 10, 10);
const isTune = (one) => isMethod(one, 10, 30);
const isAck = (one) => isMethod(one, 60, 80);

// name, at which frame, what the publisher gets instead, whether the connection must end
const tricks = [
  ['frames of 1 byte', isTune, tune(1), true],
  ['frames of 2 GiB', isTune, tune(0x80000000), false],
  ['frames without a limit', isTune, tune(0), false],
  ['a table 20,000 deep', isStart, () => [frame(METHOD, 0, method(10, 10, Buffer.concat([Buffer.from([0, 9]), deepTable(20000), longText('PLAIN'), longText('en_US')])))], true],
  ['a body of 2^63 bytes', isAck, () => returned(1n << 63n), true],
  ['a frame of 4 GiB', isAck, () => [frame(METHOD, 1, Buffer.alloc(64), { size: 0xffffffff })], true],
  ['a wrong end', isAck, (one) => [Buffer.concat([one.bytes.subarray(0, -1), Buffer.from([0])])], true],
  ['an unknown method', isAck, () => [frame(METHOD, 1, method(77, 7, Buffer.alloc(16)))], true],
  ['a channel nobody opened', isAck, (one) => [frame(METHOD, 7, one.payload)], true],
  ['half a frame and the end', isAck, (one, session) => {
    session.client.end(one.bytes.subarray(0, 9));
    return [];
  }, true],
];

let frames;
let trick;

function play(one, session) {
  if (trick === undefined || session.isDone || !trick[1](one)) return [one.bytes];
  session.isDone = true;
  session.played = trick[0];
  return trick[2](one, session);
}

await scenario('A16', 'a hostile broker', {
  flaps: true,
  degrades: false,
  async beforeStart(world) {
    frames = await FrameProxy.start(Number(world.stack.servers.STACK_AMQP_PORT));
    frames.down = play;
    world.cleanup(() => frames.stop());
    return { AMQP_URL: world.brokerAt(frames.port) };
  },
}, async (world) => {
  await world.warm();
  await world.fault('tricks', () => {});
  for (const one of tricks) {
    [trick] = [one];
    const lost = world.log('broker.lost').length;
    frames.reset();
    const played = () => [...frames.sessions].some((session) => session.played === one[0]) || world.log('broker.lost').length > lost + 1;
    await world.until(`${one[0]} was said`, played, 45000);
    const named = () => world.log('broker.lost').slice(lost).find((line) => line.error_code === 'amqp.protocol' || /ended the connection/.test(line.error));
    if (one[3]) await world.until(`${one[0]} ends the connection and is named`, named, 45000);
    else await world.until(`${one[0]} is fine`, async () => (await world.watch.ask('/health')).body?.status === 'ok', 20000);
    world.note(`${one[0]}: ${one[3] ? `${named()?.error_code}, ${named()?.error}` : 'goes on'}`);
    trick = undefined;
    frames.reset();
    await world.until('the link is up again', async () => (await world.metric('sluice_broker_up')) === 1, 45000);
    await world.hold(5500); // steady for so long, the next loss starts with a short pause
  }
  await world.heal();
});
