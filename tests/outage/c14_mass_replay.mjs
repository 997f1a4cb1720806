// C14 - hundreds of dead letters are replayed under load: too early, with a canary of ten; then, when their cause is mended, by a run that is killed in the middle and resumed, while the
// consumer that applies it is killed too.
// Expected: a canary that fails keeps the others where they are; afterwards each letter is applied once, under its own id, and what is live is applied as ever.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { consumed, keepBreakersClosed } from './lib/applied.mjs';

const CANARY = 10;
const STEP = 20; // letters applied before somebody is killed
const WAITS_MS_MAX = 240000;
const DONE = 0;
const SOME_FAILED_AGAIN = 3;

const sql = `
CREATE TABLE closed(since timestamptz);
INSERT INTO closed VALUES (now());
CREATE OR REPLACE FUNCTION shop_apply(event_id text, body jsonb, attempt integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF body ? 'late' AND EXISTS (SELECT FROM closed) THEN RAISE EXCEPTION 'closed' USING ERRCODE = 'SLBAD'; END IF;
  INSERT INTO shop_applied VALUES (event_id, attempt);
END $$;`;

const shop = { rate: 60, next: (n) => (n % 5 === 2 ? { id: `late_${n}`, body: { late: true } } : {}) };
const why = ['--yes', '--wait', '5m', '--reason', 'the shop is open'];
const all = ['dead', 'replay', '--subsystem', 'shop', '--limit', '10000', '--rate', '100/s', ...why];

await consumed('C14', 'a mass replay under load', { rate: 40, shop, beforeStart: (world) => world.stack.query(sql) }, async (world) => {
  const { stack } = world;
  const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);
  const open = () => count("sluice_dead_letter WHERE status = 'open'");
  const replayed = () => count("sluice_inbox WHERE verdict = 'replayed'");
  const step = async () => {
    const before = await replayed();
    await world.until('some of them are applied', async () => (await replayed()) >= before + STEP, WAITS_MS_MAX);
  };
  await keepBreakersClosed(world);
  await world.warm();
  await world.fault('some are set aside');
  await world.until('there are enough', async () => (await open()) >= world.ms(120, 4000), WAITS_MS_MAX);

  const early = await begin(stack, [...all, '--canary', `${CANARY}`]).ended;
  const run = await stack.value('SELECT DISTINCT run FROM sluice_replay_item');
  const tried = await count('sluice_replay_item WHERE outcome IS NOT NULL');
  world.check(early === SOME_FAILED_AGAIN && tried === CANARY, `too early: ended with ${early} after ${tried} letters`);

  await stack.query('DELETE FROM closed');
  const first = begin(stack, ['replay', 'resume', run, '--past-canary', ...why]);
  await step();
  first.child.kill('SIGKILL');
  await first.ended;
  await world.until('it is seen to be cut off', async () => JSON.parse(await stack.sluice('replay', 'list', '-o', 'json')).find((one) => one.run === run).status === 'cut off', WAITS_MS_MAX);
  const cutAt = await replayed();
  const second = begin(stack, ['replay', 'resume', run, '--past-canary', ...why]);
  await step();
  stack.consumer.kill('SIGKILL');
  await stack.consumer.ended;
  await stack.startConsumer();
  const resumed = await second.ended;
  world.check(resumed === SOME_FAILED_AGAIN, `the run that was resumed ended with ${resumed}; its canary had failed`);
  await world.heal();

  const rest = await begin(stack, all).ended;
  world.check(rest === DONE && (await open()) === 0, `what was left: ended with ${rest}, ${await open()} are open`);
  world.note(`a canary of ${tried} failed; killed after ${cutAt} letters, resumed, the consumer killed meanwhile; applied by replays ${await replayed()}, in ${await stack.value('SELECT count(DISTINCT run) FROM sluice_replay_item')} runs`);
});

function begin(stack, args) {
  const child = spawn(path.join(process.env.SLUICE_BIN, 'sluice'), args, { env: stack.environment, stdio: 'ignore' });
  return { child, ended: new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code))) };
}
