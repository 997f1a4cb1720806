// producer - events of any source, straight onto the exchange: what an internal program publishes.
import amqp from 'amqplib';
import { encode } from '@msgpack/msgpack';

export class Producer {
  static async connect(stack) {
    const producer = new Producer();
    producer.connection = await amqp.connect(stack.amqpUrl);
    producer.channel = await producer.connection.createConfirmChannel();
    return producer;
  }

  // body: an object (sent as JSON), or the bytes themselves.
  publish({ id, source = 'shop', type, body = {}, account = '', livemode = false, object, occurredAt = 1700000000 }) {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const envelope = { v: 1, id, source, type, account, livemode, ...(object === undefined ? {} : { object }), occurred_at: occurredAt,
      received_at: Date.now() * 1000, content_type: 'application/json', body: new Uint8Array(bytes) };
    this.channel.publish('sluice.events', `${source}.${type}`, Buffer.from(encode(envelope)),
      { persistent: true, mandatory: true, messageId: id, type, appId: 'sluice', contentType: 'application/msgpack' });
    return this.channel.waitForConfirms();
  }

  async close() {
    await this.connection.close();
  }
}
