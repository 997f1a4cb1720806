// N1 - a night on call: the broker goes down under load, then 200 events come that can never be applied, then a deployment that fails one type, then
// somebody's forgotten transaction that holds a table. Each is found and mended with what the runbooks say, word by word; only what no runbook can do
// (start the broker, take the deployment back) is done by hand.
// Expected: nothing lost, nothing twice, every row right; the 200 are dead letters, discarded with their reason; what the deployment failed is replayed.
import { execFile } from 'node:child_process';
import { commandFrom, isSql } from '../integration/lib/runbook.mjs';
import { servers } from '../integration/lib/servers.mjs';
import { scenario } from './lib/scenario.mjs';

const POISON = 200;
const POISON_PAUSE_MS = 60;
const subsystems = `
[billing]
handler = billing
bindings = stripe.#
owner = billing
critical = true
breaker_probe = 2s
`;

await scenario('N1', 'a night on call, by the runbooks alone', { rate: 80, subsystems }, async (world) => {
  await world.stack.query("ALTER TABLE billing_customer ADD CONSTRAINT has_a_real_name CHECK (name <> 'Nobody')");
  await world.warm();
  await brokerGone(world);
  await poisonArrives(world);
  await deploymentFails(world);
  await tableIsHeld(world);
  const rest = await follow(world, 'failure-spike.md', 'sluice dead groups --since 6h', { args: ['-o', 'json'] });
  world.check(JSON.parse(rest.out).length === 0, `letters are left open: ${rest.out}`);
  world.atEnd(() => follow(world, 'rabbitmq-unavailable.md', 'sluice queue drain billing'));
});

async function brokerGone(world) {
  await world.fault('the broker is stopped', () => servers.stop('rabbitmq'));
  const found = await follow(world, 'rabbitmq-unavailable.md', 'sluice doctor broker', { fails: true });
  world.check(/FAILS/.test(found.out), `doctor broker names no layer: ${found.out}`);
  await world.until('events are kept', async () => (await world.metric('sluice_journal_events')) > 50, 20000);
  const kept = await follow(world, 'rabbitmq-unavailable.md', 'sluice journal status');
  world.check(/\d+ events wait/.test(kept.out), `journal status says nothing of what waits: ${kept.out}`);
  await follow(world, 'rabbitmq-unavailable.md', 'sluice log set --degraded error');
  await world.hold(world.ms(5000, 300000));
  await world.heal(() => servers.start('rabbitmq'));
  await follow(world, 'rabbitmq-unavailable.md', 'sluice doctor broker');
  await world.until('the journal is empty', async () => (await world.metric('sluice_journal_events')) === 0, 120000);
}

async function poisonArrives(world) {
  const created = Math.floor(Date.now() / 1000) - 3600;
  for (let n = 0; n < POISON; n += 1) {
    const customer = { id: `cus_nobody${n}`, object: 'customer', created, name: 'Nobody', email: null, livemode: false, metadata: {} };
    const id = `evt_nobody${n}`;
    const event = world.load.record(id, JSON.stringify({ id, object: 'event', type: 'customer.updated', created, livemode: false, data: { object: customer, previous_attributes: { name: null } } }));
    await world.load.sendAuthentic(event);
    await world.hold(POISON_PAUSE_MS);
  }
  await follow(world, 'failure-spike.md', 'sluice breaker close billing customer.updated --for 10m');
  await world.until('all of them are given up', async () => (await letters(world, "event_id LIKE 'evt_nobody%'")) === POISON, 180000);
  const [group] = await groups(world, 'dead-letters.md', 'sluice dead groups');
  world.check(group.letters >= POISON, `the poison is not one group: ${JSON.stringify(group)}`);
  await follow(world, 'failure-spike.md', 'sluice dead discard', { blanks: { fedcba9876543210: group.fingerprint } });
  world.check((await letters(world, "status = 'open' AND event_id LIKE 'evt_nobody%'")) === 0, 'poison is left open');
}

async function deploymentFails(world) {
  await world.stack.query("ALTER TABLE billing_invoice ADD CONSTRAINT nothing_is_paid CHECK (status <> 'paid') NOT VALID");
  const held = async () => JSON.parse((await follow(world, 'failure-spike.md', 'sluice breaker list', { args: ['-o', 'json'] })).out).find((one) => one.type === 'invoice.paid' && one.state !== 'closed');
  await world.until('the breaker of its type is open', held, 60000);
  const flows = await world.stack.value("SELECT count(*) FROM sluice_inbox WHERE type = 'customer.created'");
  await world.until('other types flow', async () => Number(await world.stack.value("SELECT count(*) FROM sluice_inbox WHERE type = 'customer.created'")) > Number(flows), 30000);
  await world.hold(world.ms(2000, 60000));

  await world.stack.query('ALTER TABLE billing_invoice DROP CONSTRAINT nothing_is_paid'); // the deployment is taken back
  await follow(world, 'failure-spike.md', 'sluice breaker close billing invoice.paid');
  await world.until('it is closed', async () => !(await held()), 60000);
  // Those that failed before are letters only when the parker has come to them.
  await world.until('no letter is on its way', async () => {
    const given = await world.stack.metric('sluice_consumer_deliveries_total{subsystem="billing",outcome="dead_lettered"}', world.stack.consumerPort);
    return (await letters(world, 'true')) >= given;
  });
  for (const { fingerprint } of await groups(world, 'failure-spike.md', 'sluice dead groups --since 6h')) {
    const how = { blanks: { '0123456789abcdef': fingerprint }, args: ['--wait', '5m'] }; // a busy machine
    await follow(world, 'failure-spike.md', 'sluice dead replay --fingerprint 0123456789abcdef --limit 1 ', how);
    await follow(world, 'failure-spike.md', 'sluice dead replay --fingerprint 0123456789abcdef --limit 500', how);
  }
}

async function tableIsHeld(world) {
  const letGo = await world.stack.lock('LOCK TABLE billing_customer IN SHARE MODE');
  world.cleanup(letGo);
  const waiting = async () => (await follow(world, 'postgres.md', 'SELECT w.pid AS waits')).out.trim();
  await world.until('somebody is seen to wait', async () => /idle in transaction/.test(await waiting()), 30000);
  const end = () => follow(world, 'postgres.md', 'SELECT pid, pg_terminate_backend(pid)', { blanks: { '1 minute': '1 second' } });
  await world.until('who holds it is ended', async () => /\|t$/m.test((await end()).out.trim()), 20000);
  await world.until('nobody waits', async () => (await waiting()) === '', 30000);
}

async function groups(world, page, command) {
  return JSON.parse((await follow(world, page, command, { args: ['-o', 'json'] })).out);
}

async function letters(world, where) {
  return Number(await world.stack.value(`SELECT count(*) FROM sluice_dead_letter WHERE ${where}`));
}

// Types what the page says. args: added at the end, for a test that reads.
async function follow(world, page, beginning, { blanks = {}, args = [], fails = false } = {}) {
  const command = [commandFrom(page, beginning, blanks), ...args].join(' ');
  const { stack } = world;
  const env = {
    ...stack.environment,
    PATH: `${process.env.SLUICE_BIN}:${process.env.PATH}`,
    SLUICE_PUBLISHER_URL: stack.url,
    SLUICE_CONSUMER_URL: `http://127.0.0.1:${stack.consumerPort}`,
  };
  const [program, list] = isSql(command) ? ['psql', [stack.databaseUrl, '-v', 'ON_ERROR_STOP=1', '-qAtX', '-c', command]] : ['bash', ['-euo', 'pipefail', '-c', command]];
  const done = await new Promise((resolve) => {
    execFile(program, list, { env, cwd: stack.dir, timeout: 600000 }, (error, out, err) => resolve({ status: error ? (error.code ?? error.signal) : 0, out, err }));
  });
  world.check((done.status !== 0) === fails, `${page}: ${command} ended with ${done.status}: ${done.out}${done.err}`);
  return done;
}
