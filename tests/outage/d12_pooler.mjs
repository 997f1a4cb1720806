// D12 - a pooler (pgbouncer 1.18) comes between the consumer and Postgres under load: in transaction mode, in which prepared statements do not last, with sessions that
// it keeps and with a new one for each transaction; then in session mode, in which it ends again and again, killed and by SIGTERM.
// Expected: in transaction mode the consumer says what it suspects, its gauge calls a person, and it keeps what it has in hand; in session mode it works as without a
// pooler, and an end of the pooler is no more than a lost connection. No attempt is spent, nothing is given up.
import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { consumed } from './lib/applied.mjs';
import { hasPooler, Pooler } from './lib/pooler.mjs';
import { skip } from './lib/scenario.mjs';
import { neighboursSpendNothing } from './lib/tries.mjs';

const NAMED = 'is a transaction pooler in between?';
const WAITS_MS_MAX = 120000;
const poolers = {};

const file = ({ stack }) => path.join(stack.dir, 'database-url');
const halts = ({ stack }) => stack.linesOf(stack.consumer, 'consumer.halted');
const applied = ({ stack }) => stack.value('SELECT count(*) FROM sluice_inbox').then(Number);
const needs = () => hasPooler() || skip('no pgbouncer here');

async function beforeStart(world) {
  const { stack } = world;
  poolers['the sessions stay'] = await Pooler.start(stack);
  poolers['each transaction has a new session'] = await Pooler.start(stack, { server_lifetime: 0 });
  for (const pooler of Object.values(poolers)) world.cleanupAfterAll(() => pooler.stop());
  write(world, stack.databaseUrl);
  Object.assign(stack.consumerEnvironment, { DATABASE_URL: undefined, DATABASE_URL_FILE: file(world) });
}

await consumed('D12', 'a pooler in front of Postgres', { needs, beforeStart, rate: 80, shop: { rate: 80 } }, async (world) => {
  neighboursSpendNothing(world);
  await world.warm();
  await world.fault('a pooler in transaction mode');
  for (const [how, pooler] of Object.entries(poolers)) await isNamed(world, how, pooler);
  await turnTo(world, poolers['the sessions stay'].url('session'));
  await endsAgainAndAgain(world, poolers['the sessions stay']);
  await turnTo(world, world.stack.databaseUrl);
  await world.heal();
});

async function isNamed(world, how, pooler) {
  const { stack } = world;
  await turnTo(world, pooler.url('transaction'));
  const [before, from] = [halts(world).length, Date.now()];
  const named = () => halts(world).slice(before).filter((line) => line.error_code === 'pg.halt' && line.error.includes(NAMED));
  await world.until(`the pooler is named, where ${how}`, () => named().length > 0, WAITS_MS_MAX);
  world.note(`where ${how}, it is named after ${((Date.now() - from) / 1000).toFixed(1)} s: ${named()[0]?.error}`);
  await world.until('a person is called', async () => (await world.count(/^sluice_consumer_halted/, stack.consumerPort)) > 0, WAITS_MS_MAX);
  await world.hold(world.ms(500, 60000));
  world.check(stack.consumer.exitCode === null, 'the consumer has ended');
}

async function endsAgainAndAgain(world, pooler) {
  const before = halts(world).length;
  const sent = world.load.events.size;
  await world.until('what waited is applied', async () => (await applied(world)) >= sent, WAITS_MS_MAX);
  for (let end = 0; end < world.ms(4, 40); end += 1) {
    await pooler.restart(end % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
    const atStart = await applied(world);
    await world.until('it applies events again', async () => (await applied(world)) > atStart, WAITS_MS_MAX);
  }
  const said = halts(world).slice(before);
  world.check(said.length === 0, `in session mode it is halted: ${said[0]?.error}`);
}

function write(world, url) {
  writeFileSync(`${file(world)}.new`, url);
  renameSync(`${file(world)}.new`, file(world));
}

// As after a change of the deployment: it finishes what is in hand, and begins anew.
async function turnTo(world, url) {
  const { stack } = world;
  const before = stack.linesOf(stack.consumer, 'process.reloaded').length;
  write(world, url);
  stack.consumer.kill('SIGHUP');
  await world.until('it has read its address again', () => stack.linesOf(stack.consumer, 'process.reloaded').length > before, WAITS_MS_MAX);
}
