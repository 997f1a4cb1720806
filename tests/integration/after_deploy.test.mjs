// after_deploy - `sluice doctor --after-deploy` on real programs: it waits for them, and names what is not so. `sluice preflight`: two environments side by side, with real
// databases; no value is ever printed, and the gate opens only for the phrase.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { Stack } from './lib/stack.mjs';

let stack;
let version;
const token = randomBytes(24).toString('hex');
const program = path.join(process.env.SLUICE_BIN, 'sluice');

before(async () => {
  stack = await Stack.start('after_deploy', { withConsumer: false, environment: { QUEUE_SERVICE_TOKEN_CONSOLE: token } });
  version = (await stack.sluice('--version')).trim().split(' ')[1];
});
after(async () => {
  await stack?.stop();
});

function run(args, { input, secrets = [], environment = {} } = {}) {
  const env = { ...stack.environment, SLUICE_CONSUMER_URL: `http://127.0.0.1:${stack.consumerPort}`, ...environment };
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { env, timeout: 600000 }, (error, stdout, stderr) => {
      const said = stdout + stderr;
      if ([token, stack.secret, ...secrets].some((secret) => said.includes(secret))) return reject(new Error('a secret is printed'));
      return resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr });
    });
    if (input !== undefined) child.stdin.end(input);
  });
}
async function afterDeploy(...args) {
  const { status, stdout, stderr } = await run(['doctor', '--after-deploy', '-o', 'json', ...args]);
  assert.ok(stdout.startsWith('['), stderr);
  const rows = JSON.parse(stdout);
  return { status, rows: Object.fromEntries(rows.map((row) => [row.condition, row])), failing: rows.filter((row) => row.state === 'FAIL').map((row) => row.condition) };
}

test('it waits for a program that is still starting, and then all is well', async () => {
  const waiting = afterDeploy('--expect-version', version, '--log', path.join(stack.dir, 'sluice-publisher.log'));
  await stack.startConsumer();
  const { status, failing, rows } = await waiting;
  assert.deepEqual([status, failing], [0, []], JSON.stringify(rows));
  assert.deepEqual(Object.values(rows).map((row) => row.state), ['ok', 'ok', 'ok', 'ok', 'ok', 'ok']);
});

test('another version runs: named for both, when the wait is over', async () => {
  const { status, failing, rows } = await afterDeploy('--expect-version', '9.9.9', '--wait', '1s');
  assert.deepEqual([status, failing], [1, ['version']]);
  assert.equal(rows.version.detail, `publisher: ${version}; consumer: ${version}`);
  assert.match(rows.version.do, /restart it, or roll back/);
});

test('an error in the log ends the wait at once; one from before the last start does not count', async () => {
  const log = path.join(stack.dir, 'deployed.log');
  const line = (level, event, msg) => `${JSON.stringify({ ts: new Date().toISOString(), level, event, msg })}\n`;
  writeFileSync(log, line('error', 'old.trouble', 'before the restart') + line('info', 'process.started', 'here'));
  assert.equal((await afterDeploy('--log', log)).status, 0);
  appendFileSync(log, line('error', 'consumer.halted', 'a column is missing'));
  const { status, failing, rows } = await afterDeploy('--log', log, '--expect-version', '9.9.9', '--wait', '10m'); // waiting it out would outlast this test
  assert.deepEqual([status, failing], [1, ['version', 'log']]);
  assert.equal(rows.log.detail, 'consumer.halted: a column is missing');
});

test('a program that is down, and an API that refuses', async () => {
  await stack.terminate(stack.consumer);
  const { status, failing, rows } = await afterDeploy('--wait', '1s');
  assert.deepEqual([status, failing], [1, ['up', 'ready', 'health']]);
  assert.match(rows.up.detail, /^consumer: /);
  await stack.startConsumer();
  const refused = await run(['doctor', '--after-deploy', '--wait', '1s'], { environment: { QUEUE_SERVICE_TOKEN_CONSOLE: randomBytes(24).toString('hex') } });
  assert.equal(refused.status, 1);
  assert.match(refused.stdout, /api +FAIL +401/);
});

// Two environments, each with its own values.
const values = (mode, databaseUrl) => ({
  DATABASE_URL: databaseUrl,
  AMQP_URL: `amqp://sluice:${randomBytes(8).toString('hex')}@mq.${mode}.internal:5672`,
  STRIPE_WEBHOOK_SECRET: `whsec_${randomBytes(20).toString('hex')}`,
  STRIPE_API_KEY: `sk_${mode}_${randomBytes(12).toString('hex')}`,
  STRIPE_PUBLISHABLE_KEY: `pk_${mode}_${randomBytes(12).toString('hex')}`,
  QUEUE_SERVICE_TOKEN_CONSOLE: randomBytes(20).toString('hex'),
  SENTRY_DSN: `https://${randomBytes(8).toString('hex')}@o1.ingest.sentry.io/42`,
  SENTRY_ENVIRONMENT: mode === 'live' ? 'production' : 'staging',
});
async function preflight(staging, production, args = [], how = {}) {
  const files = [staging, production].map((all, i) => {
    const file = path.join(stack.dir, i === 0 ? 'staging.env' : 'prod.env');
    writeFileSync(file, Object.entries(all).map(([name, value]) => `${name}=${value}\n`).join(''));
    return file;
  });
  const secrets = [staging, production].flatMap((all) => ['AMQP_URL', 'STRIPE_WEBHOOK_SECRET', 'STRIPE_API_KEY', 'STRIPE_PUBLISHABLE_KEY', 'QUEUE_SERVICE_TOKEN_CONSOLE', 'SENTRY_DSN']
    .map((name) => all[name]).filter((value) => value?.length > 12));
  return run(['preflight', ...files, ...args], { secrets, ...how });
}
const findings = ({ stdout }) => Object.fromEntries(JSON.parse(stdout).filter((row) => ['warn', 'FAIL'].includes(row.verdict)).map((row) => [row.key, `${row.verdict} ${row.finding}`]));

let other; // a second database beside the stack's own

test('two environments that are as they should be', async () => {
  const url = new URL(stack.databaseUrl);
  other = `${stack.name}_prod`;
  await stack.query(`CREATE DATABASE "${other}"`);
  url.pathname = `/${other}`;
  const [staging, production] = [values('test', stack.databaseUrl), values('live', url.href)];
  const well = await preflight(staging, production, ['-o', 'json']);
  assert.deepEqual([well.status, findings(well)], [0, {}], well.stdout);
  const rows = Object.fromEntries(JSON.parse(well.stdout).map((row) => [row.key, row.finding]));
  assert.match(rows['postgres.version'], /^staging \d+, production \d+$/);
  assert.match(rows['postgres.connections'], /^staging \d+, production \d+ \(\+0\)$/);
});

test('every kind of fault is named, and no value is printed', async () => {
  const url = new URL(stack.databaseUrl);
  url.pathname = `/${other}`;
  const [staging, production] = [values('test', stack.databaseUrl), values('live', url.href)];
  await stack.query(`ALTER DATABASE "${other}" CONNECTION LIMIT 9`);
  Object.assign(production, {
    STRIPE_API_KEY: staging.STRIPE_API_KEY, // test key in production
    STRIPE_WEBHOOK_SECRET: 'whsec_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
    QUEUE_SERVICE_TOKEN_CONSOLE: staging.QUEUE_SERVICE_TOKEN_CONSOLE,
    SENTRY_DSN: staging.SENTRY_DSN,
    SLUICE_DEGRADED_AFTER: '30',
  });
  delete production.AMQP_URL;
  staging.STRIPE_PUBLISHABLE_KEY = `pk_live_${randomBytes(12).toString('hex')}`;
  staging.SLUICE_REPLAY_RATE = '50';
  const found = await preflight(staging, production, ['-o', 'json']);
  assert.equal(found.status, 1);
  const named = findings(found);
  assert.deepEqual(Object.keys(named).sort(), ['AMQP_URL', 'QUEUE_SERVICE_TOKEN_CONSOLE', 'SENTRY_DSN', 'SLUICE_DEGRADED_AFTER', 'SLUICE_REPLAY_RATE', 'STRIPE_API_KEY',
    'STRIPE_PUBLISHABLE_KEY', 'STRIPE_WEBHOOK_SECRET', 'postgres.connections'], found.stdout);
  assert.match(named.AMQP_URL, /^FAIL production lacks it, staging has it$/);
  assert.match(named.STRIPE_API_KEY, /^FAIL production has a test key$/);
  assert.match(named.STRIPE_PUBLISHABLE_KEY, /^FAIL staging has a live key: it acts on real customers$/);
  assert.match(named.STRIPE_WEBHOOK_SECRET, /^FAIL production's is a placeholder/);
  assert.match(named.QUEUE_SERVICE_TOKEN_CONSOLE, /^FAIL both have the same value$/);
  assert.match(named.SENTRY_DSN, /^FAIL both have the same value$/);
  assert.match(named.SLUICE_DEGRADED_AFTER, /^FAIL production: /);
  assert.match(named.SLUICE_REPLAY_RATE, /^warn production lacks it, staging has it$/);
  assert.match(named['postgres.connections'], /^warn staging \d+, production 9 \(-\d+\)$/);
  await stack.query(`ALTER DATABASE "${other}" CONNECTION LIMIT -1`);
});

test('one database under two names is found out by asking it', async () => {
  const url = new URL(stack.databaseUrl);
  url.hostname = 'localhost';
  const found = await preflight(values('test', stack.databaseUrl), values('live', url.href), ['-o', 'json']);
  assert.deepEqual([found.status, findings(found)], [1, { 'postgres.identity': 'FAIL staging and production are one and the same database' }], found.stdout);
});

test('the gate: only the phrase opens it, and nothing does when something is wrong', async () => {
  const url = new URL(stack.databaseUrl);
  url.pathname = `/${other}`;
  const [staging, production] = [values('test', stack.databaseUrl), values('live', url.href)];
  const gate = (...args) => preflight(staging, production, args);
  assert.equal((await gate('--confirm', 'DEPLOY-PROD')).status, 0);
  const wrong = await gate('--confirm', 'deploy-prod');
  assert.equal(wrong.status, 77);
  assert.match(wrong.stderr, /no deployment: the phrase is DEPLOY-PROD\n/);
  assert.equal((await preflight(staging, production, ['--gate'], { input: 'DEPLOY-PROD\n' })).status, 77); // no terminal: nobody has typed it
  staging.SLUICE_REPLAY_RATE = '50';
  assert.equal((await gate('--confirm', 'DEPLOY-PROD')).status, 77);
  assert.equal((await gate('--confirm', 'DEPLOY-PROD-WITH-1-WARNING')).status, 0);
  production.STRIPE_API_KEY = staging.STRIPE_API_KEY;
  const refused = await gate('--confirm', 'DEPLOY-PROD-WITH-1-WARNING');
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /1 wrong: no deployment/);
});

test('at a terminal a person types it', async () => {
  const url = new URL(stack.databaseUrl);
  url.pathname = `/${other}`;
  await preflight(values('test', stack.databaseUrl), values('live', url.href));
  const typed = (phrase) => new Promise((resolve) => {
    const command = `"${program}" preflight staging.env prod.env --gate`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: stack.dir, env: stack.environment, stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (part) => {
      if (!said.includes('to deploy: ') && `${said}${part}`.includes('to deploy: ')) child.stdin.write(`${phrase}\n`);
      said += part;
    });
    child.on('exit', (status) => resolve({ status, said }));
  });
  assert.equal((await typed('DEPLOY-PROD')).status, 0);
  assert.equal((await typed('yes')).status, 77);
});

test('files that cannot be read are said so', async () => {
  const { status, stderr } = await run(['preflight', '/not/there.env', '/not/there.env']);
  assert.equal(status, 66, stderr);
  assert.match(stderr, /\/not\/there\.env: No such file/);
  await stack.query(`DROP DATABASE "${other}"`);
});
