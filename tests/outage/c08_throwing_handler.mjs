// C8 - a handler that throws: for some events at every try, for others at the first one, two or three, while thousands beside them are applied.
// Expected: each waits in the broker, longer each time. Who passes at last is applied once; who does not is one letter with its whole history: every try, the
// first failure and the last.
import { copiesOf } from '../integration/lib/producer.mjs';
import { consumed, keepBreakersClosed } from './lib/applied.mjs';

const ATTEMPTS = 4;
const EVERY = 30; // events, of which the first four throw: at all tries, at one, two, three

function throwing(n) {
  const last = [undefined, 2, 3, ATTEMPTS][n % EVERY];
  const type = `order.${Math.floor(n / EVERY) % 5}`;
  return n % EVERY > 3 ? {} : { id: `throws_${last ?? 'always'}_${n}`, type, body: { raise: 'SLRTY', until: last } };
}

await consumed('C8', 'a handler that throws at some tries, or at all', {
  consumer: { QUEUE_BACKOFF_DELAY: '1000' },
  sections: { shop: `attempts = ${ATTEMPTS}\n` },
}, async (world) => {
  const due = await copiesOf(world.producer.connection, 'sluice.due', '#.shop');
  await keepBreakersClosed(world);
  await world.warm();
  await world.fault('some throw', () => { world.shop.next = throwing; });
  await world.hold(world.ms(4000, 60000));
  await world.heal(() => { world.shop.next = () => ({}); });
  const ids = [...world.load.events.keys()].filter((id) => id.startsWith('throws_'));
  for (const id of ids.filter((one) => one.startsWith('throws_always'))) world.plant(id, { class: 'item', code: 'SLRTY', attempts: ATTEMPTS });
  world.atEnd(() => checkHistory(world, ids, due));
});

// Tries of an event that failed.
function failures(id) {
  return id.startsWith('throws_always') ? ATTEMPTS : Number(id.split('_')[1]) - 1;
}

// A copy whose confirm came late was published once more; the inbox absorbs that, and its tries are written down twice.
async function checkHistory(world, ids, due) {
  const expected = ids.reduce((sum, id) => sum + failures(id), 0);
  let tries = [];
  await world.until('every try is written down', async () => new Set((tries = await readTries(world)).map(({ id, attempt }) => `${id} ${attempt}`)).size >= expected, 30000);
  const of = (id) => tries.filter((one) => one.id === id);
  const wrong = [];
  for (const id of ids) {
    const waited = due.filter((message) => message.properties.messageId === id).map(({ properties: { headers } }) => [headers['sluice-attempt'] - 1, secondsOf(headers['x-death'])]);
    const numbers = [...new Set(of(id).map((one) => one.attempt))];
    const isRight = numbers.length === failures(id) && numbers.every((number, i) => number === i + 1) && of(id).every((one) => one.isRight && isWait(one.wait, one.attempt))
      && numbers.every((number) => number === ATTEMPTS || waited.some(([attempt]) => attempt === number))
      && waited.every(([attempt, seconds]) => of(id).some((one) => one.attempt === attempt && one.wait === seconds));
    if (!isRight) wrong.push(`${id}: ${JSON.stringify(of(id))}, waited in the broker ${JSON.stringify(waited)}`);
  }
  world.check(tries.every(({ id }) => ids.includes(id)), 'a try of another event failed');
  const letters = await world.stack.query(`SELECT event_id, error ~ 'asked to at try ${ATTEMPTS}\\M', extract(epoch FROM first_failed_at)::float8, extract(epoch FROM created_at)::float8 FROM sluice_dead_letter`);
  for (const [id, saysLast, firstFailedAt, createdAt] of letters) {
    const isRight = saysLast === 't' && Number(firstFailedAt) <= of(id)[0].at && Number(createdAt) > of(id).find((one) => one.attempt === ATTEMPTS - 1).at;
    if (!isRight) wrong.push(`the letter of ${id}: first failed ${firstFailedAt}, written ${createdAt}, ${JSON.stringify(of(id))}`);
  }
  world.check(wrong.length === 0, `${wrong.length} histories are wrong: ${wrong.slice(0, 3).join('; ')}`);
  const passed = await world.stack.query("SELECT attempt, count(*) FROM shop_applied WHERE event_id LIKE 'throws_%' GROUP BY 1 ORDER BY 1");
  world.note(`${ids.length} threw, ${expected} tries in all; passed at try ${passed.map(([attempt, count]) => `${attempt}: ${count}`).join(', ')}; given up ${letters.length}`);
}

async function readTries(world) {
  const rows = await world.stack.query(`SELECT event_id, attempt, class = 'item' AND code = 'SLRTY' AND error ~ ('asked to at try ' || attempt || '\\M'), extract(epoch FROM at)::float8, round(extract(epoch FROM due_at - at))::int
    FROM sluice_attempt ORDER BY event_id, attempt`);
  return rows.map(([id, attempt, isRight, at, wait]) => ({ id, attempt: Number(attempt), isRight: isRight === 't', at: Number(at), wait: wait === '' ? undefined : Number(wait) }));
}

// The n-th wait is a second doubled n - 1 times, lengthened by a quarter at most, whole seconds; after the last try there is none.
function isWait(wait, n) {
  const shortest = 2 ** (n - 1);
  return n === ATTEMPTS ? wait === undefined : wait >= shortest && wait <= Math.ceil(shortest * 1.25);
}

// What a message has waited on the levels of delay, as the broker wrote it down.
function secondsOf(deaths) {
  return deaths.reduce((sum, { queue, count }) => sum + count * 2 ** Number(/^sluice\.delay\.(\d\d)$/.exec(queue)[1]), 0);
}
