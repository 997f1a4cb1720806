// C12 - events that kill the process of whoever works on them, several close together among good ones, in two subsystems of two workers each; the supervisor starts
// it again each time.
// Expected: each of them is set aside alone, as a crash, after a few deaths of its own; whoever was beside it, in its batch, its prefetch, or another worker's hands,
// is applied, spends no attempt and is never given up.
import path from 'node:path';
import { consumed } from './lib/applied.mjs';

const WORD = 'poison-that-kills';
const LIVES_EACH_MAX = 4; // in company, in its worker's hands alone, and twice alone in the process
const WORKERS = 4; // two of each
const PREFETCH = 100;
const SLOW_S = 0.2;
const RATE = 60; // of each, so that what gathers while nobody lives is soon done

// Among the shop's events some take long, so that they are in a worker's hands while another one dies.
const slow = (n) => (n % 100 === 50 ? { body: { sleep: SLOW_S } } : {});

await consumed('C12', 'events that kill the process, among good ones', {
  rate: RATE,
  shop: { next: slow, rate: RATE },
  sections: { billing: `prefetch = ${PREFETCH}\n`, shop: `prefetch = ${PREFETCH}\n` },
  consumer: {
    DEADLY: WORD, LD_PRELOAD: path.join(process.env.SLUICE_BIN, '..', 'tests', 'libdeadly.so'),
    ASAN_OPTIONS: 'abort_on_error=0:exitcode=99:detect_leaks=1:quarantine_size_mb=8:verify_asan_link_order=0',
  },
}, async (world) => {
  const lives = supervise(world);
  await world.warm();
  await world.fault('deadly events', () => Promise.all(Array.from({ length: world.ms(4, 12) }, (_, n) => plantTwo(world, n))));
  await world.until('each is set aside', async () => Number(await world.stack.value('SELECT count(*) FROM sluice_dead_letter')) >= world.planted.size, 480000);
  await world.heal();
  world.atEnd(() => checkAlone(world, lives));
});

// As a supervisor does: starts it again whenever it has been killed.
function supervise(world) {
  const { stack } = world;
  const lives = { deaths: 0, isOver: false };
  const watch = () => stack.consumer.ended.then(({ signal }) => {
    if (lives.isOver || signal !== 'SIGKILL') return;
    lives.deaths += 1;
    stack.consumer = stack.spawn('sluice-consumer', stack.consumerEnvironment);
    watch();
  });
  watch();
  world.cleanup(async () => { lives.isOver = true; });
  return lives;
}

// One through the door, one from the producer.
async function plantTwo(world, n) {
  const wanted = { class: 'crash', code: 'event.deadly' };
  const id = `evt_${WORD}_${n}`;
  world.plant(id, wanted);
  world.plant(`${WORD}_${n}`, wanted);
  const object = { id: `cus_${WORD}_${n}`, object: 'customer', created: 1700000000 };
  const body = JSON.stringify({ id, object: 'event', type: 'customer.created', created: 1700000000, livemode: false, data: { object } });
  await Promise.all([world.load.sendAuthentic(world.load.record(id, body)), world.shop.publish({ id: `${WORD}_${n}` })]);
}

async function checkAlone(world, lives) {
  const { stack } = world;
  const wrong = await stack.query("SELECT event_id, reason, error_code FROM sluice_dead_letter WHERE reason <> 'crash' OR error_code <> 'event.deadly'");
  world.check(wrong.length === 0, `letters that are another than planted: ${wrong.slice(0, 3)}`);
  const spent = await stack.value(`SELECT count(*) FROM sluice_attempt WHERE event_id NOT LIKE '%${WORD}%'`);
  world.check(spent === '0', `${spent} attempts were spent by neighbours`);
  world.check(lives.deaths <= world.planted.size * LIVES_EACH_MAX, `${lives.deaths} deaths of ${world.planted.size} events`);
  world.check(stack.consumer.exitCode === null && stack.consumer.signalCode === null, 'the consumer does not live');
  await world.until('everybody takes as many as ever', () => {
    const last = new Map(stack.linesOf(stack.consumer, 'consumer.started').map(({ worker, prefetch }) => [worker, prefetch]));
    return last.size === WORKERS && [...last.values()].every((prefetch) => prefetch === PREFETCH);
  });
  const isolated = stack.linesOf(stack.consumer, 'consumer.isolating').length;
  world.note(`${world.planted.size} deadly events, ${lives.deaths} deaths, ${isolated} times something was suspected; attempts spent by neighbours ${spent}`);
}
