// deadly - an event that ends every process that works on it is found and parked; its neighbours are applied, whoever else was in the batch.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import path from 'node:path';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const WORD = 'poison-that-kills';
let stack;
let sender;
let lives = 0;
let isOver = false;

before(async () => {
  stack = await Stack.start('deadly', { withConsumer: false, consumer: {
    DEADLY: WORD, LD_PRELOAD: path.join(process.env.SLUICE_BIN, '..', 'tests', 'libdeadly.so'),
    ASAN_OPTIONS: 'abort_on_error=0:exitcode=99:detect_leaks=1:verify_asan_link_order=0',
  } });
  sender = new Sender(stack);
});
after(async () => {
  isOver = true;
  sender?.close();
  await stack?.stop();
});

// As a supervisor does: starts it again whenever it has ended.
function supervise() {
  lives += 1;
  stack.consumer = stack.spawn('sluice-consumer', stack.consumerEnvironment);
  stack.consumer.ended.then(({ signal }) => { if (!isOver && signal === 'SIGKILL') supervise(); });
}

const customer = (n, name) => ({ id: `evt_d${n}`, type: 'customer.created', created: 1700000000, livemode: false,
  data: { object: { id: `cus_d${n}`, object: 'customer', created: 1700000000, name } } });

test('one of sixty kills the consumer: it alone is parked, as a crash, and the others are applied', async () => {
  const events = Array.from({ length: 60 }, (_, n) => customer(n, n === 30 ? WORD : `name ${n}`));
  for (const answer of (await sender.sendAll(events)).values()) assert.equal(answer, 200);
  supervise();
  await until('the others are applied', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE verdict = 'applied'")) === '59', 120000);
  const [letter] = await until('it is a dead letter', async () => {
    const letters = await stack.query('SELECT event_id, reason, error_class, error_code FROM sluice_dead_letter');
    return letters.length > 0 && letters;
  }, 60000);
  assert.deepEqual(letter, ['evt_d30', 'crash', 'crash', 'event.deadly']);
  assert.equal(await stack.value('SELECT count(*) FROM sluice_dead_letter'), '1');
  await until('nothing is left in a queue', () => stack.isBrokerEmpty(), 60000);
  assert.equal(stack.consumer.exitCode, null);
  console.log(`${lives} lives`);
  assert.ok(lives >= 4 && lives <= 6, `${lives} lives`); // once in company, twice alone, and the one that goes on
});
