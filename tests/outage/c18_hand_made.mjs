// C18 - messages made by hand, under load: by a stranger without rights, by each of our programs' users where they have none, and by whoever may publish, in no form, in
// ours, and twice. Both programs have the rights of their roles and no more (schemas/topology.md, Rights).
// Expected: what lacks the right is refused (403) and leaves nothing; what has the right and not the form is a letter with its bytes; what has both is applied once,
// whatever else it carries and whichever way it comes.
import { copiesOf, packed, Producer, unpacked } from '../integration/lib/producer.mjs';
import { consumed, keyOf } from './lib/applied.mjs';

const rights = {
  publisher: ['^$', '^sluice\\.(events|due|delay\\.[0-9]+)$', '^$'],
  consumer: ['^$', '^sluice\\.(parked|delay\\.[0-9]+)$', '^sluice\\.'],
  stranger: ['', '', ''],
};
const PAUSE_MS = 100;
const NOW = '0.'.repeat(20); // the digits of a wait that is over
const SECOND = `${'0.'.repeat(19)}1.`;

// What each of them may not do: [what, how]. bytes: a whole event, which would be applied if it came through.
const put = (exchange, key) => [`publish to ${exchange === '' ? 'the default exchange' : exchange}`, (channel, bytes) => channel.publish(exchange, key, bytes, { persistent: true })];
const forbidden = {
  publisher: [
    put('sluice.parked', 'shop'), put('sluice.unrouted', ''), put('', 'sluice.shop'),
    ['consume', (channel) => channel.consume('sluice.shop', () => {})],
    ['get a letter', (channel) => channel.get('sluice.shop.parked')],
    ['empty a queue', (channel) => channel.purgeQueue('sluice.billing')],
    ['delete a queue', (channel) => channel.deleteQueue('sluice.billing')],
    ['delete the exchange', (channel) => channel.deleteExchange('sluice.events')],
    ['make a queue', (channel) => channel.assertQueue('sluice.mine')],
  ],
  consumer: [
    put('sluice.events', 'shop.order.1'), put('sluice.due', `${NOW}shop`), put('', 'sluice.shop'), put('sluice.unrouted', ''),
    ['delete its queue', (channel) => channel.deleteQueue('sluice.shop')],
    ['bind its queue', (channel) => channel.bindQueue('sluice.shop', 'sluice.events', '#')],
    ['make an exchange', (channel) => channel.assertExchange('sluice.mine', 'topic')],
  ],
  stranger: [
    put('sluice.events', 'shop.order.1'), put('sluice.events', 'stripe.customer.created'), put('sluice.due', `${NOW}shop`), put('sluice.delay.00', `${SECOND}shop`),
    put('sluice.parked', 'shop'), put('', 'sluice.shop'), put('amq.topic', 'shop.order.1'),
    ['consume', (channel) => channel.consume('sluice.billing', () => {})],
    ['get what is unrouted', (channel) => channel.get('sluice.unrouted')],
    ['empty a queue', (channel) => channel.purgeQueue('sluice.shop')],
    ['unbind a queue', (channel) => channel.unbindQueue('sluice.shop', 'sluice.events', 'shop.#')],
    ['delete the letters', (channel) => channel.deleteQueue('sluice.shop.parked')],
    ['delete an exchange', (channel) => channel.deleteExchange('sluice.due')],
  ],
};

const envelope = (id, others = {}) => ({ v: 1, id, source: 'shop', type: 'order.1', account: '', livemode: false, occurred_at: 1700000000, received_at: Date.now() * 1000,
  content_type: 'application/json', body: new Uint8Array(Buffer.from('{}')), ...others });
const without = (id, key) => Object.fromEntries(Object.entries(envelope(id)).filter(([name]) => name !== key));
const twoKeys = (id) => {
  const whole = packed(envelope(id));
  return Buffer.concat([Buffer.from([whole[0] + 1]), whole.subarray(1), packed('id'), packed(id)]);
};

// In no form of ours, each with bytes that no other has.
const formless = {
  'no envelope': (id) => Buffer.from(JSON.stringify({ id, type: 'order.1' })),
  'no bytes of the body': (id) => packed(without(id, 'body')),
  'no id': (id) => packed({ ...without(id, 'id'), note: id }),
  'a float': (id) => packed(envelope(id, { occurred_at: 1.5 })),
  'a time before 1970': (id) => packed(envelope(id, { occurred_at: -1 })),
  'text for bytes': (id) => packed(envelope(id, { body: '{}' })),
  'a number for text': (id) => packed(envelope(id, { type: 7 })),
  'an id too long': (id) => packed(envelope(`${id}${'x'.repeat(256)}`)),
  'a zero in text': (id) => packed(envelope(`${id}\0`)),
  'a key twice': (id) => twoKeys(id),
  'bytes behind it': (id) => Buffer.concat([packed(envelope(id)), packed(id)]),
  'too deep': (id) => packed(envelope(id, { note: Array.from({ length: 20 }).reduce((inner) => [inner], id) })),
  'too many values': (id) => packed(envelope(id, { note: Array.from({ length: 5000 }, () => 0) })),
};

// In our form, with what no program of ours would write; and the ways it may come.
const strange = [
  {}, { messageId: undefined }, { messageId: 'of_another' }, { type: 'of.another', appId: 'somebody', contentType: 'text/plain' }, { persistent: false }, { expiration: '120000' }, { priority: 9 },
  { timestamp: 1 }, { replyTo: 'sluice.billing', correlationId: 'x' }, { CC: ['shop.order.2', 'shop.order.3'] }, { headers: { 'sluice-attempt': 999 } },
  { headers: { 'sluice-attempt': -7, 'sluice-first-failed-at': 'never' } },
  { headers: { 'sluice-replay-run': 'made up', 'sluice-error': 'x'.repeat(3000) } }, { headers: { 'x-delivery-count': 19 } }, { headers: { 'sluice-orig-key': 'stripe.customer.created', traceparent: 'no' } },
];
const ways = [
  ['sluice.events', 'shop.order.1'], ['sluice.due', `${NOW}shop`], ['sluice.delay.00', `${SECOND}shop`], ['sluice.due', `${NOW}events.shop.order.1`], ['sluice.delay.02', `${SECOND}events.shop.order.4`],
];

// Somebody with a login of one of the roles.
class Hand {
  static async connect(world, role, url) {
    const hand = Object.assign(new Hand(), { role, ...(await Producer.connect({ amqpUrl: url })) });
    hand.connection.on('error', (error) => world.check(false, `the connection of the ${role} was closed: ${error.message}`));
    world.cleanup(() => hand.connection.close());
    return hand;
  }

  send(exchange, key, bytes, properties = {}) {
    return new Promise((resolve, reject) => {
      this.channel.publish(exchange, key, bytes, { persistent: true, messageId: 'made by hand', ...properties }, (error) => (error ? reject(error) : resolve()));
    });
  }
}

let urls;

await consumed('C18', 'messages made by hand, with and without the rights', {
  async beforeStart(world) {
    const { stack } = world;
    const nameOf = (role) => `${stack.name}_${role}`;
    for (const [role, [configure, write, read]] of Object.entries(rights)) {
      await stack.api('PUT', `/api/users/${nameOf(role)}`, { password: role, tags: '' });
      world.cleanupAfterAll(() => stack.api('DELETE', `/api/users/${nameOf(role)}`));
      await stack.api('PUT', `/api/permissions/${stack.name}/${nameOf(role)}`, { configure, write, read });
    }
    urls = Object.fromEntries(Object.keys(rights).map((role) => [role, world.brokerAt(stack.servers.STACK_AMQP_PORT, { user: nameOf(role), password: role })]));
    stack.consumerEnvironment.AMQP_URL = urls.consumer;
    return { AMQP_URL: urls.publisher };
  },
}, async (world) => {
  const hands = Object.fromEntries(await Promise.all(Object.entries(urls).map(async ([role, url]) => [role, await Hand.connect(world, role, url)])));
  const door = await copiesOf(world.producer.connection, 'sluice.events', 'stripe.#');
  await world.warm();
  const done = { refused: 0, tried: 0, formless: 0, wellFormed: 0, twice: 0, copies: 0 };
  const bytesOf = new Map();
  await world.fault('messages made by hand', async () => {
    const rounds = world.ms(26, 260);
    for (let n = 0; n < rounds; n += 1) {
      await Promise.all([
        ...Object.keys(rights).map((role) => tryForbidden(world, hands[role], n, done)),
        sendFormless(world, hands, n, done, bytesOf),
        sendWellFormed(world, hands.publisher, n, done),
        copyDoor(hands.publisher, door.splice(0), done),
        world.hold(PAUSE_MS),
      ]);
    }
  });
  await world.heal();
  world.atEnd(() => checkHands(world, done, bytesOf));
});

// A refusal ends the channel.
async function tryForbidden(world, hand, n, done) {
  const [what, how] = forbidden[hand.role][n % forbidden[hand.role].length];
  const id = `forged_${hand.role}_${n}`;
  world.load.forged.add(id);
  const channel = await hand.connection.createChannel();
  const code = await new Promise((resolve) => {
    channel.on('error', (error) => resolve(error.code));
    const attempt = async () => how(channel, packed(envelope(id)));
    attempt().then(() => channel.checkExchange('amq.topic')).then(() => resolve(0), () => {}); // the channel hears why
  });
  if (code === 0) await channel.close();
  world.check(code === 403, `the ${hand.role} may ${what} (${code})`);
  done.tried += 1;
  done.refused += code === 403 ? 1 : 0;
}

async function sendFormless(world, hands, n, done, bytesOf) {
  const kinds = Object.values(formless);
  for (let i = 0; i < 2; i += 1) {
    const bytes = kinds[(2 * n + i) % kinds.length](`formless_${n}_${i}`);
    const [exchange, key] = n % 7 === 3 ? ['sluice.events', 'stripe.customer.created'] : ways[n % ways.length];
    await plant(world, hands.publisher, exchange, key, bytes, { class: 'decode', code: 'event.malformed' }, bytesOf);
  }
  // And what goes to no queue, or straight to where letters come from.
  const id = `nowhere_${n}`;
  const [hand, exchange, key, wanted] = [
    [hands.publisher, 'sluice.events', 'nobody.is.bound', { class: 'unrouted', code: 'amqp.unrouted' }],
    [hands.publisher, 'sluice.delay.00', '1.0.shop', { class: 'unrouted', code: 'amqp.unrouted' }],
    [hands.publisher, 'sluice.due', `${NOW}nobody`, { class: 'unrouted', code: 'amqp.unrouted' }],
    [hands.consumer, 'sluice.parked', 'shop', { class: 'crash', code: '' }],
  ][n % 4];
  const bytes = packed(envelope(id));
  bytesOf.set(id, bytes);
  world.plant(id, wanted);
  world.load.record(id, '').statuses.push(200);
  await hand.send(exchange, key, bytes);
  done.formless += 3;
}

function plant(world, hand, exchange, key, bytes, wanted, bytesOf) {
  world.plant(keyOf(bytes), wanted);
  bytesOf.set(keyOf(bytes), bytes);
  return hand.send(exchange, key, bytes);
}

// Every third comes twice, the second time another way.
async function sendWellFormed(world, hand, n, done) {
  await Promise.all([0, 1, 2].map(async (i) => {
    const id = `by_hand_${n}_${i}`;
    const event = world.load.record(id, '');
    event.hasEffect = true;
    const bytes = packed({ whatever: [n, { is: 'not known' }], ...envelope(id) });
    const properties = strange[(3 * n + i) % strange.length];
    await hand.send(...ways[(n + i) % ways.length], bytes, properties);
    event.statuses.push(200);
    if (i === 0) await hand.send(...ways[(n + 1) % ways.length], bytes, properties);
    done.wellFormed += 1;
    done.twice += i === 0 ? 1 : 0;
  }));
}

// Every tenth of the door's events, packed anew by somebody else.
async function copyDoor(hand, messages, done) {
  const some = messages.filter((message, n) => n % 10 === 0 && message.properties.appId === 'sluice');
  await Promise.all(some.map(({ content, fields }) => {
    const entries = Object.entries(unpacked(content)).reverse().map(([name, value]) => [name, name === 'received_at' ? value + 1 : value]);
    return hand.send('sluice.events', fields.routingKey, packed(Object.fromEntries(entries)));
  }));
  done.copies += some.length;
}

async function checkHands(world, done, bytesOf) {
  const { stack } = world;
  world.check(done.refused === done.tried, `${done.tried} tries without the right, ${done.refused} refused`);
  const letters = await stack.query("SELECT coalesce(event_id, 'bytes:' || encode(body_sha256, 'hex')), encode(envelope, 'hex') FROM sluice_dead_letter");
  const changed = letters.filter(([key, bytes]) => !bytesOf.get(key)?.equals(Buffer.from(bytes, 'hex')));
  world.check(changed.length === 0, `${changed.length} letters have other bytes than were sent: ${changed[0]}`);
  const known = await world.duplicates();
  world.check(done.copies > 0 && known >= done.twice + done.copies, `${done.twice} came twice, ${done.copies} were copied from the door's, ${known} known`);
  const spent = await stack.value('SELECT count(*) FROM sluice_attempt');
  world.check(spent === '0', `${spent} attempts were spent`);
  for (const child of [stack.publisher, stack.consumer]) {
    const lost = stack.linesOf(child, 'broker.lost');
    world.check(lost.length === 0, `${child.program} lost its connection: ${lost[0]?.error}`);
  }
  world.note(`without the right ${done.tried}, refused ${done.refused}; without the form ${done.formless}, or for nobody; well-formed ${done.wellFormed}, ${done.twice} of them twice; copies of the door's ${done.copies}; known ${known}; attempts spent ${spent}`);
}
