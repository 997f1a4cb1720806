// C5 - queues are deleted under their consumers while load goes on, with deliveries in hand that the database keeps waiting: the shop's after it was taken off the
// exchange, so that what is in hand is all there is; that of billing just so, with events waiting in it.
// Expected: the consumer names them at once, finishes what it has in hand, and consumes again when `sluice topology apply` has made them. What came meanwhile is kept
// as unrouted and replayed. What waits in a queue goes with it, whoever deletes it: of Stripe's events `sluice reconcile` finds those, no other, and brings them back.
import { FakeStripe } from '../support/fake_stripe.mjs';
import { consumed } from './lib/applied.mjs';
import { isLong } from './lib/scenario.mjs';
import { neighboursSpendNothing } from './lib/tries.mjs';

const ROUNDS = isLong ? 5 : 1;
const HAND = 40; // deliveries at least, of each
const RATE = 80;

await consumed('C5', 'queues are deleted under their consumers', {
  rate: RATE,
  shop: { rate: RATE },
  nonsense: false, // what is no JSON is none of Stripe's, so it cannot have it
  sections: { shop: 'prefetch = 2000\n', billing: 'prefetch = 50\n' }, // all of the shop's fit into its hands, not all of billing's
}, async (world) => {
  neighboursSpendNothing(world);
  const stripe = await FakeStripe.start();
  world.cleanup(() => stripe.stop());
  await world.warm();
  for (let round = 0; round < ROUNDS; round += 1) {
    const gone = await deleteQueues(world);
    await world.hold(world.ms(1000, 20000));
    await makeAgain(world);
    await replayUnrouted(world);
    await bringBack(world, stripe, gone);
  }
  await world.heal();
});

// Returns {events, most}: Stripe's that were answered by then, and how many of them may have gone with their queue.
async function deleteQueues(world) {
  const { stack } = world;
  const channel = await world.producer.connection.createChannel();
  const waiting = async (name) => (await channel.checkQueue(`sluice.${name}`)).messageCount;
  const release = await stack.lock('LOCK TABLE shop_applied, billing_customer IN EXCLUSIVE MODE');
  world.cleanup(release);
  await world.until('the hands are full', async () => (await inHand(world, 'shop')) >= HAND && (await inHand(world, 'billing')) >= HAND && (await waiting('billing')) > 0);
  await world.broker.unbind('sluice.events', 'sluice.shop');
  await answered(world, underWay(world)); // of the shop's, the last that went to its queue
  await world.until('all of the shop are in hand', async () => (await waiting('shop')) === 0);

  const missing = () => new Set(stack.linesOf(stack.consumer, 'topology.missing').slice(told).map((line) => line.link.split(/[-.]/)[0]));
  const told = stack.linesOf(stack.consumer, 'topology.missing').length;
  const hands = [await inHand(world, 'shop'), await inHand(world, 'billing')];
  const sent = underWay(world);
  await world.fault('queues are deleted');
  const { messageCount: none } = await channel.deleteQueue('sluice.shop');
  const { messageCount: waited } = await channel.deleteQueue('sluice.billing');
  await world.until('both are named', () => missing().has('shop') && missing().has('billing'));
  await release();
  await channel.close();
  await answered(world, sent);
  world.check(none === 0 && waited > 0, `${none} events of the shop and ${waited} of billing went with their queues`);
  world.note(`deleted with ${hands[0]} events of the shop and ${hands[1]} of billing in hand, ${waited} of billing waiting in its queue`);
  return { events: [...world.load.events.values()].filter((event) => !event.hasEffect && event.statuses.includes(200)), most: waited + sent.length };
}

function inHand(world, subsystem) {
  return world.count(new RegExp(`^sluice_consumer_inflight\\{subsystem="${subsystem}"`), world.stack.consumerPort);
}

// What was sent and has no answer yet.
function underWay(world) {
  return [...world.load.events.values()].filter((event) => (event.hasEffect ? event.statuses.length === 0 : event.attempts > event.statuses.length)).map((event) => ({ event, answers: event.statuses.length + 1 }));
}

function answered(world, sent) {
  return world.until('those under way are answered', () => sent.every(({ event, answers }) => event.statuses.length >= answers));
}

async function makeAgain(world) {
  const { stack } = world;
  const applied = async () => [await stack.value('SELECT count(*) FROM shop_applied'), await stack.value("SELECT count(*) FROM sluice_inbox WHERE subsystem = 'billing'")].map(Number);
  const before = await applied();
  await stack.sluice('topology', 'apply');
  await world.until('both are consumed again', async () => (await applied()).every((count, i) => count > before[i] + HAND), 60000);
}

async function replayUnrouted(world) {
  const { stack } = world;
  const open = async () => Number(await stack.value("SELECT count(*) FROM sluice_dead_letter WHERE subsystem = 'unrouted' AND status IN ('open', 'replaying')"));
  const letters = await open();
  await stack.sluice('dead', 'replay', '--subsystem', 'unrouted', '--limit', '100000', '--rate', '1000/s', '--yes', '--reason', 'the queues are there again')
    .catch(({ code }) => world.check(code === 75, `the replay ended with ${code}`)); // not all decided yet
  await world.until('what came meanwhile is replayed', async () => (await open()) === 0, 60000);
  world.check(letters > 0, 'nothing came meanwhile');
  world.note(`${letters} events that came meanwhile replayed`);
}

async function bringBack(world, stripe, { events, most }) {
  const { stack } = world;
  const listed = new Set(stripe.events.map((event) => event.id));
  stripe.addEvents(events.filter((event) => !listed.has(event.id)).map((event) => JSON.parse(event.body)));
  const missing = async () => {
    const stored = await world.stored();
    return events.filter((event) => !stored.has(event.id)).length;
  };
  await world.until(`no more than ${most} are missing`, async () => (await missing()) <= most);
  const gone = await missing();
  const { status, stderr } = await stack.tool(['reconcile', 'stripe', '--since', '3h', '--window', '3h', '--rate', '1000', '--yes'], { STRIPE_API_BASE: stripe.url, STRIPE_RESTRICTED_KEY: stripe.key });
  world.check(status === 0 && gone > 0 && stderr.includes(`${gone} missing, ${gone} published`), `${gone} of billing are missing, reconcile ended with ${status}: ${stderr}`);
  world.note(`${gone} events of billing were gone with its queue, published again as Stripe has them`);
}
