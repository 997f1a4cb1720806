// runbooks - what the pages tell the person on call to do can be done, and what they tell him to look for exists.
//
// Every indented line is a command and runs as it stands: SQL against the consumer's database, all else in a shell where RabbitMQ's
// tools find the private broker. So does every line in a fence of shell, and what a sentence quotes that begins with a program; what cannot run here is named
// in `elsewhere`, with where it does. Every `like.this`, `sluice_name` and `UPPER_CASE` in backquotes is an event, an error, a metric, a table, a queue, a file
// or a configuration key. Alerts, game days and sections stand in the pages that they lead to, and in no other.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { commandsOf, isSql, pages, root, text } from './lib/runbook.mjs';
import { Sender, signature } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { FakeStripe } from '../support/fake_stripe.mjs';

const body = '{"id":"evt_runbook","type":"x.runbook"}';

// What a reader fills in.
const blanks = [[' --yes --report broker-stop.md', () => ' --report broker-stop.md'], // the plan: product.gameday_long does it
  ['evt_1Q…', () => 'evt_runbook'], ["'t=…,v1=…'", () => `'${signature(stack.secret, body)}'`],
  ['--expect-version 1.4.0', () => '--expect-version "$(sluice --version | cut -d" " -f2)"'], ['/var/log/sluice/publisher.log', () => 'deployed.log']];

// What a host has and this one has not.
const elsewhere = new Map([
  ['systemctl status sluice-publisher', 'systemd_units'],
  ['docker compose -f compose/compose.yaml run --rm drift', 'product.compose'],
  ['pgbackrest info', 'product.gameday, with a stand-in'],
]);

let stack;
let stripe;

before(async () => {
  const [transcode] = text('compose/subsystems.example.conf').match(/^\[transcode\]\n(?:.+\n)+/m);
  stack = await Stack.start('runbooks', {
    subsystems: `${text('compose/subsystems.conf')}\n${transcode.replace('enabled = false\n', '')}`,
    sql: readdirSync(path.join(root, 'compose/examples')).map((file) => text(`compose/examples/${file}`)).join('\n'),
  });
  stripe = await FakeStripe.start();
  stripe.put('webhook_endpoints', { id: 'we_1', object: 'webhook_endpoint', url: 'https://hooks.example.com/webhooks/stripe', status: 'enabled', enabled_events: ['*'] });
  const sender = new Sender(stack);
  assert.equal((await sender.signed(body)).status, 200);
  sender.close();
  await until('the event is applied', async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === '1');
  writeFileSync(path.join(stack.dir, 'body.json'), body);
  writeFileSync(path.join(stack.dir, 'gameday.conf'), text('runbooks/game-day.md').match(/^```ini\n([^`]+)^```$/m)[1]);
  writeFileSync(path.join(stack.dir, 'deployed.log'), stack.logOf(stack.publisher)); // as it is after a start
  await writeEnvironments();
  await setLettersAside();
  await setRunsAside();
  standInForTheBrokersHost();
});
after(async () => {
  await stripe?.stop();
  await stack?.query(`DROP DATABASE IF EXISTS "${stack.name}_prod"`);
  await stack?.stop();
});

// Two environments as they should be, production with a database of its own.
async function writeEnvironments() {
  await stack.query(`CREATE DATABASE "${stack.name}_prod"`);
  const url = new URL(stack.databaseUrl);
  const random = (bytes = 20) => randomBytes(bytes).toString('hex');
  for (const [file, mode] of [['staging.env', 'test'], ['prod.env', 'live']]) {
    url.pathname = mode === 'live' ? `/${stack.name}_prod` : `/${stack.name}`;
    writeFileSync(path.join(stack.dir, file), `DATABASE_URL=${url.href}\nAMQP_URL=amqp://sluice:${random(8)}@mq.${mode}.internal\nSTRIPE_WEBHOOK_SECRET=whsec_${random()}
STRIPE_API_KEY=sk_${mode}_${random(12)}\nQUEUE_SERVICE_TOKEN_CONSOLE=${random()}\nSENTRY_DSN=https://${random(8)}@o1.ingest.sentry.io/42\nSENTRY_ENVIRONMENT=${mode}\n`);
  }
}

// Letters whose events can be applied by now, so that what the pages do to dead letters can be done.
async function setLettersAside() {
  await stack.query(`INSERT INTO sluice_dead_letter (id, subsystem, source, account, livemode, event_id, type, occurred_at, reason, error_class, error_code, error,
      fingerprint, attempts, routing_key, envelope, body_sha256) OVERRIDING SYSTEM VALUE
    SELECT id, 'billing', 'stripe', '', false, 'evt_letter_' || id, 'x.runbook', 'epoch', 'permanent', 'permanent', '23514', 'refused', fingerprint, 1,
      'stripe.x.runbook', envelope, sha256(envelope)
    FROM (SELECT id, fingerprint, decode('8aa17601a26964af6576745f6c65747465725f' || encode(id::text::bytea, 'hex')
      || 'a6736f75726365a6737472697065a474797065a9782e72756e626f6f6ba76163636f756e74a0a86c6976656d6f6465c2ab6f636375727265645f617400'
      || 'ab72656365697665645f617401ac636f6e74656e745f74797065b06170706c69636174696f6e2f6a736f6ea4626f6479c4027b7d', 'hex') AS envelope
      FROM (VALUES (4711, '0123456789abcdef'), (4712, 'fedcba9876543210'), (4713, '1111222233334444'),
        (4714, '2222333344445555'), (4715, '2222333344445555')) AS v(id, fingerprint)) AS letters`);
}

// Two runs that were cut off before their only letter was published.
async function setRunsAside() {
  for (const [run, letter] of [['20260131-140000-1a2b3c', 4714], ['20260131-150000-4d5e6f', 4715]]) {
    await stack.query(`UPDATE sluice_dead_letter SET status = 'replaying', replay_run = '${run}' WHERE id = ${letter};
      INSERT INTO sluice_replay_run (run, status, filter, actor, letters, rate) VALUES ('${run}', 'running', '{}', 'operator@host', 1, 10);
      INSERT INTO sluice_replay_item (run, dead_letter_id, subsystem, event_id, type, fingerprint, is_canary)
        SELECT replay_run, id, subsystem, event_id, type, fingerprint, false FROM sluice_dead_letter WHERE id = ${letter};
      SELECT sluice_replay_note('${run}', 'started', 'operator@host', '', '{"from": "planned", "to": "running"}')`);
  }
}

// RabbitMQ's tools as they are on the broker's own host: in the environment of the running node.
function standInForTheBrokersHost() {
  const pid = readFileSync(path.join(stack.servers.SLUICE_DEV_DIR, 'rabbitmq', 'rabbitmq.pid'), 'utf8').trim();
  mkdirSync(path.join(stack.dir, 'bin'));
  for (const tool of ['rabbitmqctl', 'rabbitmq-diagnostics']) {
    const file = path.join(stack.dir, 'bin', tool);
    writeFileSync(file, `#!/bin/bash
mapfile -d '' environment </proc/${pid}/environ
exec env -i "\${environment[@]}" RABBITMQ_CTL_ERL_ARGS="-start_epmd false" ${tool} "$@"
`);
    chmodSync(file, 0o755);
  }
}

function perform(command) {
  let filled = command;
  for (const [blank, fill] of blanks) filled = filled.replaceAll(blank, fill);
  const [program, args] = isSql(filled)
    ? ['psql', [stack.databaseUrl, '-v', 'ON_ERROR_STOP=1', '-qAtX', '-c', filled]]
    : ['bash', ['-euo', 'pipefail', '-c', filled]];
  const env = {
    ...stack.environment,
    STRIPE_API_BASE: stripe.url,
    STRIPE_API_KEY: stripe.key,
    SLUICE_PUBLIC_URL: 'https://hooks.example.com',
    SLUICE_GAMEDAY: path.join(stack.dir, 'gameday.conf'),
    PATH: `${stack.dir}/bin:${process.env.SLUICE_BIN}:${process.env.PATH}`,
    SLUICE_PUBLISHER_URL: stack.url,
    SLUICE_CONSUMER_URL: `http://127.0.0.1:${stack.consumerPort}`,
  };
  return new Promise((resolve) => {
    const child = execFile(program, args, { env, cwd: stack.dir, timeout: 300000 }, (error, stdout, stderr) => {
      const ended = child.killed ? 'cut off' : 0; // the broker's tools exit 0 when they are
      resolve({ status: error ? (error.code ?? error.signal) : ended, said: stdout + stderr });
    });
  });
}

// What `sluice trigger` made up Stripe does not list; on a slow machine it is old enough by then to be called extra.
async function forgetMadeUp() {
  await stack.query('DELETE FROM billing_customer');
}

for (const page of pages) {
  if (page === 'reconcile.md') test(`${page}: the tables are Stripe's`, forgetMadeUp);
  for (const { line, command } of commandsOf(page).filter((one) => !elsewhere.has(one.command))) {
    test(`${page}:${line}: ${command.split('\n')[0]}`, async () => {
      const { status, said } = await perform(command);
      const isPlan = status === 2 && /nothing was changed; to do it: /.test(said);
      assert.ok(status === 0 || isPlan, `${command}\n${status}: ${said}`);
    });
  }
}

const quoted = (file, pattern) => [...text(file).matchAll(pattern)].map(([, name]) => name);
const metrics = new Map([...text('shared/metrics.def').matchAll(/^SL_METRIC\([^"]*"([a-z_]+)",(.*)$/gm)]
  .map(([, name, rest]) => [name, [...rest.matchAll(/"([a-z]+)",/g)].map(([, label]) => label)]));
for (const file of readdirSync(path.join(root, 'ops/stripe')).filter((name) => name.endsWith('.c'))) { // what a run leaves in a file
  for (const name of quoted(`ops/stripe/${file}`, /\{ "(sluice_[a-z_]+)",/g)) metrics.set(name, ['account']);
}
const sections = [...new Set(['subsystems.conf', 'subsystems.example.conf'].flatMap((file) => quoted(`compose/${file}`, /^\[([a-z-]+)\]/gm)))];
const names = new Set([
  ...quoted('shared/events.def', /^SL_EVENT\("([^"]+)"/gm),
  ...quoted('shared/errors.def', /^SL_ERR\([^"]*"([^"]+)"/gm),
  ...quoted('schemas/topology.def', /^TOPOLOGY_EXCHANGE\("([^"]+)"/gm),
  ...sections.map((subsystem) => `sluice.${subsystem}`),
]);
const tables = new Set(readdirSync(path.join(root, 'schemas/migrations'))
  .flatMap((file) => quoted(`schemas/migrations/${file}`, /^CREATE (?:TABLE|VIEW) ([a-z_]+)/gm)));
const keys = new Set(['shared/config/config_common.def', 'publisher/config.def', 'consumer/config.def', 'ops/config.def']
  .flatMap((file) => quoted(file, /\.env = "([A-Z_]+)"/g)));
const sources = ['publisher', 'consumer', 'shared']
  .flatMap((folder) => readdirSync(path.join(root, folder)).filter((name) => name.endsWith('.c')).map((name) => text(`${folder}/${name}`)))
  .join('\n');

// Why a name in backquotes is not one of ours, or null.
function strange(name) {
  if (/^[a-z_-]+\.jsonl$/.test(name)) return sources.includes(`"${name}`) || sources.includes(`/${name}`) ? null : 'no program writes it';
  if (/^[a-z_-]+\.(md|json|conf|def)$/.test(name) || name.startsWith('.')) return null;
  if (/^[a-z_]+(\.[a-z_]+)+$/.test(name)) return names.has(name) ? null : 'no event, error, exchange or queue';
  const metric = name.match(/^(sluice_[a-z_]+)(?:\{([a-z]+)="([^"]+)"\})?$/);
  if (metric) {
    const [, family, label, value] = metric;
    if (label === undefined) return metrics.has(family) || tables.has(family) ? null : 'no metric and no table';
    if (!metrics.get(family)?.includes(label)) return `no label ${label}`;
    return sources.includes(`"${value}"`) ? null : `no program says ${value}`;
  }
  const key = name.match(/^([A-Z]+(?:_[A-Z]+)+)(=.*)?$/);
  return key && !keys.has(key[1]) ? 'no configuration key' : null;
}

for (const page of pages) {
  test(`${page}: what it names exists`, () => {
    const wrong = text(`runbooks/${page}`).split('\n').flatMap((line, i) =>
      [...line.matchAll(/`([^`\s]+)`/g)]
        .map(([, name]) => name && strange(name) && `${page}:${i + 1}: ${name}: ${strange(name)}`)
        .filter(Boolean));
    assert.deepEqual(wrong, []);
  });

  test(`${page}: its links lead somewhere`, () => {
    for (const [, target] of text(`runbooks/${page}`).matchAll(/\]\(([^)#]+)\)/g)) {
      assert.ok(existsSync(path.join(root, 'runbooks', target)), target);
    }
  });

  test(`${page}: it is in the list of pages`, () => {
    assert.ok(page === 'README.md' || text('runbooks/README.md').includes(`(${page})`));
  });
}

// In this order, whatever else a page says.
const opening = ['**Alert** ', '**Owner** ', '**Game day** ', '**Last reviewed** ', '| subsystem |'];
const moves = ['First moves', 'Branches', 'Mitigation', 'Recovery', 'Audit after', 'Emergency stop', 'Escalation', 'Communication'];
const inForm = pages.filter((page) => !['README.md', 'game-day.md', 'postmortem-template.md'].includes(page));
for (const page of inForm) {
  test(`${page}: it has the form that a person woken up can rely on`, () => {
    const said = text(`runbooks/${page}`);
    const places = [...opening.map((part) => said.indexOf(part)), ...moves.map((part) => said.search(new RegExp(`^(\\*\\*|## )${part}`, 'm')))];
    places.forEach((at, n) => assert.ok(at >= 0 && (n === 0 || at > places[n - 1]), `${[...opening, ...moves][n]} is not there, or not in its place`));
    assert.match(said, /\*\*Last reviewed\*\* 20\d\d-\d\d-\d\d/);
    assert.ok(said.includes('(postmortem-template.md)'), 'it leads to no postmortem');
  });

  test(`${page}: it says of every shipped subsystem what it means to a user`, () => {
    const table = text(`runbooks/${page}`).match(/^\| subsystem \|(?:.*\n\|)*.*$/m)[0];
    const rows = table.split('\n').slice(2).map((row) => row.split('|')[1]).join(' ');
    assert.deepEqual(sections.filter((name) => !rows.includes(`\`${name}\``)), []);
  });
}

const listed = (page, head) => [...(text(`runbooks/${page}`).match(new RegExp(`^\\*\\*${head}\\*\\* (.*)$`, 'm'))?.[1] ?? '').matchAll(/`([A-Za-z-]+)`/g)].map(([, name]) => name);

test('each alert is named by the page it leads to, in its head and in the list of pages, and by no other', () => {
  const leads = [...text('compose/prometheus/alerts.yml').matchAll(/- alert: (\w+)\n[^]*?runbook: runbooks\/([a-z-]+\.md)/g)].map(([, alert, page]) => `${page} ${alert}`).sort();
  assert.ok(leads.length > 30);
  assert.deepEqual(inForm.flatMap((page) => listed(page, 'Alert').map((alert) => `${page} ${alert}`)).sort(), leads);
  const rows = [...text('runbooks/README.md').matchAll(/^\| ((?:`\w+`(?:, )?)+) \| \[[^\]]*\]\(([a-z-]+\.md)\) \|$/gm)];
  assert.deepEqual(rows.flatMap(([, alerts, page]) => alerts.split(', ').map((alert) => `${page} ${alert.slice(1, -1)}`)).sort(), leads);
});

test('each game day is named by the page that it rehearses', () => {
  const leads = [...text('ops/gameday/gameday_scenario.def').matchAll(/^GAMEDAY\([A-Z_]+, "([a-z-]+)"[^]*?"([a-z-]+\.md)"\)/gm)];
  assert.equal(leads.length, 8);
  for (const [, scenario, page] of leads) assert.ok(listed(page, 'Game day').includes(scenario), `${page} does not name ${scenario}`);
  for (const page of inForm) for (const name of listed(page, 'Game day')) assert.ok(leads.some(([, scenario]) => scenario === name), `${page}: there is no ${name}`);
});

test('the reader of pages reads them all', () => {
  for (const page of pages) {
    const indented = text(`runbooks/${page}`).split('\n').filter((line) => /^ {4,}\S/.test(line)).length;
    const taken = commandsOf(page).filter((one) => one.end !== undefined).reduce((lines, one) => lines + one.command.split('\n').length, 0);
    assert.equal(taken, indented, `${page}: lines that nobody runs`);
    assert.ok(!inForm.includes(page) || commandsOf(page).length >= 5, `${page}: too few commands to be of help`);
  }
  const all = pages.flatMap(commandsOf).map((one) => one.command);
  assert.ok(all.length >= 300, `${all.length} commands`);
  for (const [command, where] of elsewhere) assert.ok(all.includes(command), `no page says ${command}, which ${where} is to run`);
  assert.equal(strange('consumer.slept'), 'no event, error, exchange or queue');
  assert.equal(strange('sluice_nothing_total'), 'no metric and no table');
  assert.equal(strange('sluice_publish_total{outcome="lost"}'), null);
  assert.equal(strange('SLUICE_NO_KEY'), 'no configuration key');
});
