// peer_receiver - the usual receiver in Node: fastify, stripe's own check of the signature, amqplib with confirms. Answers 200 after the confirm.
//
// usage: AMQP_URL=… STRIPE_WEBHOOK_SECRET=… PORT=… node peer_receiver.mjs
// Publishes the received bytes, persistent and mandatory, to the quorum queue bench.peer.
import amqplib from 'amqplib';
import Fastify from 'fastify';
import Stripe from 'stripe';

const stripe = new Stripe('sk_test_bench');
const secret = process.env.STRIPE_WEBHOOK_SECRET;
const connection = await amqplib.connect(process.env.AMQP_URL);
const channel = await connection.createConfirmChannel();
await channel.assertQueue('bench.peer', { durable: true, arguments: { 'x-queue-type': 'quorum' } });

const app = Fastify({ bodyLimit: 1 << 20 });
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => done(null, body));
app.get('/readyz', async () => 'ready');
app.post('/webhooks/stripe', async (request, reply) => {
  let event;
  try {
    event = stripe.webhooks.constructEvent(request.body, request.headers['stripe-signature'], secret, 3600);
  } catch {
    return reply.code(400).send({ error: 'not authentic' });
  }
  await new Promise((resolve, reject) => {
    const options = { persistent: true, mandatory: true, messageId: event.id, type: event.type, contentType: 'application/json' };
    channel.publish('', 'bench.peer', request.body, options, (error) => (error ? reject(error) : resolve()));
  });
  return { received: true, id: event.id };
});
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
