// tap - a queue of the test's own on sluice.events: what was published, as an independent client reads it.
import amqplib from 'amqplib';
import { decode } from '@msgpack/msgpack';

export class Tap {
  static async open(stack, pattern = '#') {
    const tap = new Tap();
    tap.connection = await amqplib.connect(stack.amqpUrl);
    tap.channel = await tap.connection.createChannel();
    tap.messages = [];
    const { queue } = await tap.channel.assertQueue('', { exclusive: true });
    await tap.channel.bindQueue(queue, 'sluice.events', pattern);
    await tap.channel.consume(queue, (message) => {
      const envelope = decode(message.content);
      tap.messages.push({ key: message.fields.routingKey, properties: message.properties, envelope, body: Buffer.from(envelope.body) });
    }, { noAck: true });
    return tap;
  }

  byId(id) {
    return this.messages.filter((one) => one.envelope.id === id);
  }

  async close() {
    await this.connection?.close();
  }
}
