// leaving - how many deliveries a quorum queue counts when its consumer leaves under load. Plain amqplib, nothing of ours.
//
// usage: AMQP_URL=… node leaving.mjs cancel|hold|credit [STOPS] [RATE]
//   cancel   basic.cancel, then what is in hand is acknowledged: the usual way
//   hold     nothing is acknowledged for 150 ms first, so that no acknowledgement makes room for more
//   credit   the queue is told that there is no credit left and has answered, then as above (shared/amqp/amqp_quiet.h)
// STOPS consumers (30) take and acknowledge for some milliseconds and leave, one after the other. RATE messages a second are published meanwhile; 0, the default: 1,100 are there
// at each start. Prints one line of JSON: counted is how many came with x-delivery-count. AMQP_PUBLISH_URL: to publish and declare on another node of a cluster.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../integration/package.json', import.meta.url));
const defs = require('amqplib/lib/defs');
const CREDIT_OK = (60 << 16) | 201; // RabbitMQ's extension, which amqplib does not know
const decode = defs.decode;
defs.decode = (id, bytes) => (id === CREDIT_OK ? {} : decode(id, bytes));
const amqp = require('amqplib');

const [way, stops = '30', rate = '0'] = process.argv.slice(2);
if (!['cancel', 'hold', 'credit'].includes(way) || !process.env.AMQP_URL) {
  console.error('usage: AMQP_URL=… node leaving.mjs cancel|hold|credit [STOPS] [RATE]');
  process.exit(64);
}
const PREFETCH = 1000;
const THERE = 1100;
const pause = (ms) => new Promise((go) => setTimeout(go, ms));
const queue = `leaving.${process.pid}`;
const body = Buffer.alloc(3200);
const count = { published: 0, acknowledged: 0, counted: 0 };

const publisher = await amqp.connect(process.env.AMQP_PUBLISH_URL ?? process.env.AMQP_URL);
const out = await publisher.createConfirmChannel();
await out.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });

async function publish(messages) {
  for (let n = 0; n < messages; n += 1) out.sendToQueue(queue, body, { persistent: true });
  await out.waitForConfirms();
  count.published += messages;
}

function sayNoCredit(channel, tag) {
  const payload = Buffer.concat([Buffer.from([0, 60, 0, 200, tag.length]), Buffer.from(tag), Buffer.alloc(5)]);
  const head = Buffer.from([1, 0, channel.ch, 0, 0, 0, payload.length]);
  channel.connection.stream.write(Buffer.concat([head, payload, Buffer.from([206])]));
}

async function consumer(aliveMs) {
  const connection = await amqp.connect(process.env.AMQP_URL);
  const channel = await connection.createChannel();
  let answered = () => {};
  const accept = channel.accept;
  channel.accept = function (frame) {
    return frame.id === CREDIT_OK ? answered() : accept.call(this, frame);
  };
  await channel.prefetch(PREFETCH);
  let held = [];
  let isLeaving = false;
  const acknowledge = (most) => {
    const part = held.slice(0, most);
    held = held.slice(most);
    if (part.length > 0) channel.ack(part.at(-1), true);
    count.acknowledged += part.length;
  };
  const { consumerTag } = await channel.consume(queue, (message) => {
    if (Number(message.properties.headers['x-delivery-count'] ?? 0) > 0) count.counted += 1;
    held.push(message);
  });
  const working = (async () => {
    while (!isLeaving) {
      await pause(4);
      if (!isLeaving) acknowledge(500);
    }
  })();
  await pause(aliveMs);
  isLeaving = true;
  await working;
  if (way === 'hold') await pause(150);
  for (let round = 0; way === 'credit' && round < 2; round += 1) {
    await new Promise((go) => {
      answered = go;
      sayNoCredit(channel, consumerTag);
    });
  }
  await channel.cancel(consumerTag);
  await channel.checkQueue(queue); // what was on its way has come
  acknowledge(held.length);
  await channel.checkQueue(queue); // what was acknowledged has been read
  await channel.close();
  await connection.close();
}

let isPublishing = Number(rate) > 0;
const stream = (async () => {
  while (isPublishing) {
    await publish(Math.ceil(Number(rate) / 100));
    await pause(10);
  }
})();
for (let stop = 0; stop < Number(stops); stop += 1) {
  const { messageCount } = await out.checkQueue(queue);
  if (!isPublishing && messageCount < THERE) await publish(THERE - messageCount);
  await consumer(3 + ((stop * 7) % 60));
}
isPublishing = false;
await stream;
console.log(JSON.stringify({ way, stops: Number(stops), rate: Number(rate), ...count }));
await out.deleteQueue(queue);
await publisher.close();
