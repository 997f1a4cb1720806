// outage_audit - after an outage: `event show` of what was journaled and dropped, `audit outage` by severity, `queue watch`, and a `snapshot` without secrets.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const subsystems = `
[billing]
handler = billing
bindings = stripe.customer.#
severity = critical
owner = payments
impact = access is decided on old facts

[search]
handler = sql
function = index_it
bindings = stripe.#
severity = info
`;
const canary = 'canary-5b1d7e90';
const sql = `
CREATE FUNCTION index_it(object text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN IF object LIKE 'prod_bad%' THEN RAISE EXCEPTION 'not this: ${canary}' USING ERRCODE = '22023'; END IF; END $$`;

let stack;
let sender;

before(async () => {
  stack = await Stack.start('outage_audit', { subsystems, sql, publisher: { SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' } });
  sender = new Sender(stack);
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const event = (id, type) => ({ id: `evt_${id}`, type, created: 1700000000, livemode: false, data: { object: { id, object: type.split('.')[0], email: `${canary}@example.com`, created: 1700000000 } } });
async function send(status, ...events) {
  for (const got of (await sender.sendAll(events)).values()) assert.equal(got, status);
}
const sluice = (args, extra) => stack.tool(args, { SLUICE_CONSUMER_URL: `http://127.0.0.1:${stack.consumerPort}`, ...extra });
async function restartPublisher(extra) {
  assert.equal((await stack.terminate(stack.publisher)).code, 0);
  stack.publisherEnvironment = { ...stack.publisherEnvironment, ...extra };
  await stack.startPublisher();
}
const audit = async (...args) => {
  const { status, stdout, stderr } = await sluice(['audit', 'outage', '-o', 'json', ...args]);
  return { status, stderr, rows: JSON.parse(stdout).map(({ severity, subsystem, what, type, events }) => `${severity} ${subsystem} ${what} ${type} ${events}`) };
};

test('nothing happened: nothing is listed, status 0', async () => {
  await send(200, event('cus_well', 'customer.created'), event('prod_well', 'product.created'));
  await until('both are applied', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id LIKE '%well'")) === '3');
  const { status, rows, stderr } = await audit();
  assert.deepEqual([status, rows], [0, []]);
  assert.match(stderr, /nothing was dropped/);
  assert.match(stderr, /refused \(503, 429\) by this machine's publisher since its start at 20\S+Z: 0; what was refused before that is not known/);
});

test('queue watch: rates and new dead letters between looks, as lines for programs', async (t) => {
  await sluice(['queue', 'pause', 'billing']);
  const watching = spawn(path.join(process.env.SLUICE_BIN, 'sluice'), ['queue', 'watch', '--every', '1s', '-o', 'ndjson'],
    { env: { ...stack.environment, SLUICE_CONSUMER_URL: `http://127.0.0.1:${stack.consumerPort}` }, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => watching.on('exit', resolve));
  let stdout = '';
  watching.stdout.on('data', (part) => { stdout += part; });
  const seen = (subsystem) => stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line)).filter((line) => line.subsystem === subsystem);
  t.after(() => watching.kill('SIGKILL'));
  await until('it has looked twice', () => seen('search').length >= 2, 60000);
  await send(200, ...Array.from({ length: 20 }, (_, n) => event(`cus_seen${n}`, 'customer.created')), event('prod_bad1', 'product.created'));
  await until('what came in is seen', () => seen('billing').some((line) => line.in_s > 0 && line.out_s === 0 && line.waiting > 0), 60000);
  await until('what is given up is seen', () => seen('search').some((line) => line.new_letters > 0), 60000);
  await until('what waits is seen, with nobody at it', () => seen('billing').some((line) => line.waiting === 20 && line.consumers === 0 && line.settings.startsWith('paused')), 60000);
  watching.kill('SIGINT');
  assert.equal(await ended, 130);
  assert.equal(seen('search').reduce((sum, line) => sum + line.new_letters, 0), 1);
  assert.ok(seen('billing').every((line) => /^20\S+Z$/.test(line.at) && line.new_letters === 0), stdout);
  const once = JSON.parse((await sluice(['queue', 'watch', 'billing', '--once', '-o', 'json'])).stdout);
  assert.deepEqual([once.waiting, once.out_s, once.in_s, once.settings.slice(0, 13)], [20, 0, 0, 'paused since ']);
  await sluice(['queue', 'resume', 'billing']);
  assert.equal((await sluice(['queue', 'drain', 'billing', '--timeout', '60s'])).status, 0);
});

test('top: one object for programs, a page for people, and q leaves a terminal as it was', async () => {
  const looking = sluice(['top', '--once', '--every', '3s', '-o', 'json']);
  await send(200, ...Array.from({ length: 30 }, (_, n) => event(`prod_top${n}`, 'product.created')));
  const { status, stdout, stderr } = await looking;
  assert.equal(status, 0, stderr);
  const look = JSON.parse(stdout);
  assert.deepEqual([look.publisher.broker, look.publisher.level, look.broker.error, look.database.error], ['up', 'fine', null, null]);
  assert.ok(look.publisher.answered_200 >= 23 && look.publisher.answered_503 === 0, stdout);
  assert.ok(look.database.sessions > 0 && look.database.sessions_max > look.database.sessions, stdout);
  const [billing, search] = look.subsystems;
  assert.deepEqual([billing.subsystem, billing.severity, billing.impact, search.subsystem, search.new_letters], ['billing', 'critical', 'access is decided on old facts', 'search', 1]);
  assert.match(search.state, /1 new letters/);
  assert.equal((await sluice(['top', '--once', '-o', 'csv'])).status, 64);
  assert.match((await sluice(['top', '--every', '500ms'])).stdout, /^sluice top  20\S+Z\npublisher  200 \S+\/s .*\njournal    0 waiting, full to 0%\nbroker .*\ndatabase .*\nSUBSYSTEM/);

  const child = spawn('script', ['-qec', `stty cols 100 rows 30; ${path.join(process.env.SLUICE_BIN, 'sluice')} top --every 500ms`, '/dev/null'],
    { env: { ...stack.environment, SLUICE_CONSUMER_URL: `http://127.0.0.1:${stack.consumerPort}`, TERM: 'xterm' }, stdio: ['pipe', 'pipe', 'inherit'] });
  let seen = '';
  child.stdout.on('data', (part) => { seen += part; });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await until('the page is there', () => /search .* 1 new letters/.test(seen));
  child.stdin.write('q');
  assert.equal(await ended, 0, seen);
  assert.ok(seen.includes('\x1b[?1049h') && seen.endsWith('\x1b[?25h\x1b[?1049l'), JSON.stringify(seen.slice(-200)));
  assert.match(seen, /\x1b\[3[13]msearch/);
});

test('journaled while the broker is away: its story says so, for every subsystem it matters', async () => {
  const nowhere = 'amqp://guest:guest@127.0.0.1:1';
  await restartPublisher({ AMQP_URL: nowhere, SLUICE_DEGRADED_POLICY: 'journal' });
  await send(202, event('cus_kept', 'customer.updated'));
  const { status, stdout } = await sluice(['event', 'show', 'evt_cus_kept', '-o', 'json']);
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(stdout).story.map(({ place, what, detail }) => `${place} ${what}: ${detail}`), [
    'publisher received: customer.updated of stripe',
    'publisher journaled: the broker was away: it is kept here and published when it is back']);
  assert.match((await sluice(['event', 'show', 'evt_cus_kept'])).stdout, /^TIME +WHERE +WHAT +DETAIL\n20\S+Z +publisher +received/);
  await restartPublisher({ SLUICE_DEGRADED_POLICY: 'drop' });
  await send(202, event('cus_gone', 'customer.deleted'), event('prod_gone', 'product.deleted'));
  const gone = JSON.parse((await sluice(['event', 'show', 'evt_cus_gone', '-o', 'json'])).stdout);
  assert.match(gone.story.map(({ what, detail }) => `${what}: ${detail}`).join('\n'), /received: customer\.deleted of stripe\ndropped: only this is left of it: \S+/);
  assert.equal((await sluice(['event', 'show', 'evt_never'])).status, 66);
});

test('the audit: the most severe first, whoever is bound to it, and what to do', async () => {
  const { status, rows, stderr } = await audit('--from', '1h');
  assert.equal(status, 1);
  assert.deepEqual(rows, [
    'critical billing dropped customer.deleted 1',
    'critical billing journaled customer.updated 1',
    'info search dropped customer.deleted 1',
    'info search dropped product.deleted 1',
    'info search given up product.created 1',
    'info search journaled customer.updated 1']);
  assert.match(stderr, /dropped: ask for them again: sluice reconcile stripe\ngiven up: sluice dead groups\njournaled: published when/);
  const early = await audit('--to', '1h', '--from', '2h');
  assert.deepEqual(early.rows, ['  refused  null']);
  assert.match(early.stderr, /how many were refused is not known: this machine's publisher was started after that/);
  assert.match((await sluice(['audit', 'outage'])).stdout, /payments +access is decided on old facts\n/);
  await restartPublisher({ AMQP_URL: stack.amqpUrl, SLUICE_DEGRADED_POLICY: 'journal' });
  await sluice(['ingest', 'pause', '--answer', '429']);
  await send(429, event('cus_refused1', 'customer.updated'), event('cus_refused2', 'customer.updated'));
  await sluice(['ingest', 'resume']);
  const refused = await audit();
  assert.ok(refused.rows.includes('  refused stripe: paused 2'), refused.rows.join('\n'));
  assert.match(refused.stderr, /refused: the senders come again/);
  assert.match(refused.stderr, /refused \(503, 429\) .*: 2; what was/);
  await until('the journaled one is applied', async () => (await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id = 'evt_cus_kept'")) === '2', 60000);
  const late = await audit('--late', '100ms');
  assert.ok(late.rows.includes('critical billing applied late customer.updated 1'), late.rows.join('\n'));
});

test('a snapshot holds what a person needs, and neither a body, nor an error text, nor a secret', async () => {
  const secrets = { SENTRY_DSN: `https://${canary}-sentry@sentry.invalid/1`, STRIPE_API_KEY: `sk_test_${canary}`, QUEUE_SERVICE_TOKEN_CONSOLE: `${canary}-token-of-thirty-two-characters` };
  await sluice(['queue', 'pause', 'search', '--reason', `see ${secrets.STRIPE_API_KEY} and ${stack.secret}`]);
  const file = path.join(stack.dir, 'incident.json');
  const { status, stderr } = await sluice(['snapshot', '--since', '60m', '--out', file], secrets);
  assert.equal(status, 0, stderr);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const text = readFileSync(file, 'utf8');
  assert.equal(text.includes(canary), false);
  assert.equal(text.includes(stack.secret), false);
  assert.equal(text.includes('sk_test_'), false);
  assert.match(stderr, /places that held a secret were wiped/);
  const bundle = JSON.parse(text);
  assert.deepEqual(Object.keys(bundle), ['taken_at', 'since', 'sluice', 'queues', 'database', 'journal', 'publisher', 'publisher_metrics', 'consumer_metrics', 'subsystems_file', 'broker']);
  assert.equal(bundle.queues.billing.impact, 'access is decided on old facts');
  assert.match(bundle.queues.search.settings, /^paused since 20/);
  assert.ok(bundle.database.applied.some((row) => row.subsystem === 'billing' && row.type === 'customer.created' && row.events === 21 && row.samples.length === 3));
  assert.deepEqual(bundle.database.dead_letters.map(({ subsystem, error_code: code, letters }) => [subsystem, code, letters]), [['search', '22023', 1]]);
  assert.match(bundle.publisher_metrics, /sluice_events_received_total\{source="stripe",outcome="paused"\} 2/);
  assert.match(bundle.subsystems_file.sha256, /^[0-9a-f]{64}$/);
  assert.match(bundle.broker.version, /^\d+\.\d+$/);
  assert.match(bundle.database.server, /^PostgreSQL/);
  assert.match(bundle.consumer_metrics, /sluice_consumer_paused\{subsystem="search"\} 1/);
  assert.equal(bundle.journal.waiting, 0);
  assert.equal((await sluice(['snapshot', '--out', file])).status, 73);
  const blind = await sluice(['snapshot'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
  assert.equal(blind.status, 3);
  assert.match(JSON.parse(blind.stdout).database_away, /\S/);
  await sluice(['queue', 'resume', 'search']);
});

test('completion knows what exists: subsystems, types, groups, and nothing that a shell would run', async () => {
  await stack.query("INSERT INTO sluice_dead_letter (subsystem, source, account, livemode, event_id, type, occurred_at, reason, error_class, error_code, error, fingerprint, attempts, envelope, body_sha256) "
    + "VALUES ('search', 'stripe', '', false, 'evt_odd', 'x.$(touch odd)', 'epoch', 'permanent', 'permanent', '1', 'e', '`touch odd`', 1, '', '')");
  const { stdout: script } = await sluice(['completion', 'bash']);
  const group = await stack.value("SELECT fingerprint FROM sluice_dead_letter WHERE type = 'product.created'");
  const offered = (...words) => new Promise((resolve, reject) => {
    const typed = words.map((word) => `'${word}'`).join(' ');
    execFile('bash', ['-c', `eval "$SCRIPT"; COMP_WORDS=("$SLUICE" ${typed}); COMP_CWORD=${words.length}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`],
      { env: { ...stack.environment, SLUICE: path.join(process.env.SLUICE_BIN, 'sluice'), SCRIPT: script }, cwd: stack.dir }, (error, stdout) => (error ? reject(error) : resolve(stdout.trim().split('\n'))));
  });
  assert.deepEqual(await offered('queue', 'pause', 's'), ['search']);
  assert.deepEqual(await offered('dead', 'list', '--type', 'product.'), ['product.created']);
  assert.deepEqual(await offered('dead', 'replay', '--fingerprint', ''), [group]);
  assert.deepEqual(await offered('event', 'find', '--type', 'x'), ['']);
  assert.equal(readdirSync(stack.dir).includes('odd'), false);
  await sluice(['breaker', 'trip', 'billing', 'customer.updated', '--for', '1m']);
  assert.deepEqual((await offered('breaker', 'close', '')).filter((word) => !word.startsWith('-')).sort(), ['billing', 'customer.updated']);
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const away = await sluice(['completion', '--names', 'types'], { DATABASE_URL: `postgres://nobody@127.0.0.1:${silent.address().port}/none` });
  silent.close();
  assert.deepEqual(away, { status: 0, stdout: '', stderr: '' });
});
