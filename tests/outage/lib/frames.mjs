// frames - a proxy between a program and the broker that understands frames, so that each can be made to say what it never would.
//
// Frames go through as they are until `down` or `up` says otherwise: `down` gets every frame of the broker's and returns what the program gets instead, `up`
// the other way round. Tags of publishes are counted on the way up, so that acknowledgements can be taken apart and put together differently.
// AMQP 0-9-1: 2.3.5 (frames), 1.8.3 (basic). https://www.rabbitmq.com/confirms.html
import net from 'node:net';

export const METHOD = 1;
export const HEADER = 2;
export const BODY = 3;
const FRAME_END = 0xce;

export class FrameProxy {
  static async start(targetPort) {
    const proxy = new FrameProxy();
    proxy.targetPort = targetPort;
    proxy.sessions = new Set();
    proxy.accepted = 0;
    proxy.down = (frame) => [frame.bytes];
    proxy.up = (frame) => [frame.bytes];
    proxy.server = net.createServer((client) => proxy.open(client));
    await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    proxy.port = proxy.server.address().port;
    return proxy;
  }

  open(client) {
    this.accepted += 1;
    const session = { client, number: this.accepted, published: 0, unanswered: new Set() };
    session.broker = net.connect(this.targetPort, '127.0.0.1');
    session.end = () => {
      client.destroy();
      session.broker.destroy();
      this.sessions.delete(session);
    };
    for (const socket of [client, session.broker]) {
      socket.setNoDelay(true);
      socket.on('error', session.end);
      socket.on('close', session.end);
    }
    this.sessions.add(session);
    let isGreeting = true;
    client.on('data', cut((frame) => {
      if (isMethod(frame, 10, 11)) session.name = connectionName(frame.payload);
      if (isMethod(frame, 60, 40)) {
        session.published += 1;
        session.unanswered.add(session.published);
      }
      for (const bytes of this.up(frame, session)) if (!session.broker.destroyed) session.broker.write(bytes);
    }, (bytes) => {
      if (!isGreeting) return bytes;
      isGreeting = false;
      session.broker.write(bytes.subarray(0, 8)); // "AMQP" and the version
      return bytes.subarray(8);
    }));
    session.broker.on('data', cut((frame) => {
      for (const bytes of this.down(frame, session)) if (!client.destroyed) client.write(bytes);
    }));
  }

  // Ends what is open, so that the next connection meets what `down` says now.
  reset() {
    for (const session of [...this.sessions]) {
      session.client.resetAndDestroy();
      session.end();
    }
  }

  stop() {
    for (const session of [...this.sessions]) session.end();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

// A handler of data that calls onFrame for each whole frame.
function cut(onFrame, onBytes = (bytes) => bytes) {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, onBytes(bytes)]);
    while (rest.length >= 8) {
      const size = rest.readUInt32BE(3) + 8;
      if (rest.length < size) return;
      const whole = rest.subarray(0, size);
      rest = rest.subarray(size);
      onFrame({ type: whole[0], channel: whole.readUInt16BE(1), payload: whole.subarray(7, size - 1), bytes: whole });
    }
  };
}

export function isMethod(frame, classId, methodId) {
  return frame.type === METHOD && frame.payload.readUInt16BE(0) === classId && frame.payload.readUInt16BE(2) === methodId;
}

// What a client calls itself in connection.start-ok: a long string among its properties.
function connectionName(payload) {
  const at = payload.indexOf('connection_nameS') + 'connection_nameS'.length;
  return payload.subarray(at + 4, at + 4 + payload.readUInt32BE(at)).toString();
}

export function frame(type, channel, payload, { size = payload.length, end = FRAME_END } = {}) {
  const head = Buffer.alloc(7);
  head[0] = type;
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(size, 3);
  return Buffer.concat([head, payload, Buffer.from([end])]);
}

export function method(classId, methodId, fields = Buffer.alloc(0)) {
  const ids = Buffer.alloc(4);
  ids.writeUInt16BE(classId, 0);
  ids.writeUInt16BE(methodId, 2);
  return Buffer.concat([ids, fields]);
}

export function ack(tag, isMultiple = false, channel = 1) {
  const fields = Buffer.alloc(9);
  fields.writeBigUInt64BE(BigInt(tag), 0);
  fields[8] = isMultiple ? 1 : 0;
  return frame(METHOD, channel, method(60, 80, fields));
}

// The tag of an acknowledgement, whoever sends it; undefined for any other frame.
export function tagOf(one) {
  return isMethod(one, 60, 80) ? Number(one.payload.readBigUInt64BE(4)) : undefined;
}

// The tags that an acknowledgement of the broker's speaks of; they are then answered. Undefined for any other frame.
export function tagsOf(one, session) {
  const tag = tagOf(one);
  if (tag === undefined) return undefined;
  const tags = one.payload[12] === 1 ? [...session.unanswered].filter((other) => other <= tag) : [tag];
  for (const each of tags) session.unanswered.delete(each);
  return tags;
}
