// producer - events of any source, straight onto the exchange: what an internal program publishes.
import amqp from 'amqplib';
import { decode, encode } from '@msgpack/msgpack';

// Any value as MessagePack.
export function packed(value) {
  return Buffer.from(encode(value));
}

// And back.
export function unpacked(bytes) {
  return decode(bytes);
}

// Copies of what is published to an exchange from now on, as long as the connection lives.
export async function copiesOf(connection, exchange, key = '#') {
  const channel = await connection.createChannel();
  const copies = [];
  const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
  await channel.bindQueue(queue, exchange, key);
  await channel.consume(queue, (message) => copies.push(message), { noAck: true });
  return copies;
}

export class Producer {
  static async connect(stack) {
    const producer = new Producer();
    producer.connection = await amqp.connect(stack.amqpUrl);
    producer.channel = await producer.connection.createConfirmChannel();
    return producer;
  }

  // body: an object (sent as JSON), or the bytes themselves; properties: other ones of the message. Resolves when the broker has confirmed it.
  publish({ id, source = 'shop', type, body = {}, account = '', livemode = false, object, occurredAt = 1700000000, properties = {} }) {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const envelope = { v: 1, id, source, type, account, livemode, ...(object === undefined ? {} : { object }), occurred_at: occurredAt,
      received_at: Date.now() * 1000, content_type: 'application/json', body: new Uint8Array(bytes) };
    return this.send(`${source}.${type}`, packed(envelope), { messageId: id, type, appId: 'sluice', contentType: 'application/msgpack', ...properties });
  }

  // Any bytes at all.
  send(key, bytes, properties = {}) {
    return new Promise((resolve, reject) => {
      this.channel.publish('sluice.events', key, bytes, { persistent: true, mandatory: true, ...properties }, (error) => (error ? reject(error) : resolve()));
    });
  }

  async close() {
    await this.connection.close();
  }
}
