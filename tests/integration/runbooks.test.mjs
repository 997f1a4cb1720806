// runbooks - what the pages tell the person on call to do can be done, and what they tell him to look for exists.
//
// Every indented line is a command and runs as it stands: SQL against the consumer's database, all else in a shell where RabbitMQ's
// tools find the private broker. So does every `sluice …` and `SELECT …` inside a sentence. Every `like.this`, `sluice_name`
// and `UPPER_CASE` in backquotes is an event, an error, a metric, a table, a queue, a file or a configuration key.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Sender, signature } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';
import { FakeStripe } from '../support/fake_stripe.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = (file) => readFileSync(path.join(root, file), 'utf8');
const pages = readdirSync(path.join(root, 'runbooks')).filter((name) => name.endsWith('.md'));
const body = '{"id":"evt_runbook","type":"x.runbook"}';

// What a reader fills in.
const blanks = [['evt_1Q…', () => 'evt_runbook'], ["'t=…,v1=…'", () => `'${signature(stack.secret, body)}'`]];

let stack;
let stripe;

before(async () => {
  stack = await Stack.start('runbooks');
  stripe = await FakeStripe.start();
  stripe.put('webhook_endpoints', { id: 'we_1', object: 'webhook_endpoint', url: 'https://hooks.example.com/webhooks/stripe', status: 'enabled', enabled_events: ['*'] });
  const sender = new Sender(stack);
  assert.equal((await sender.signed(body)).status, 200);
  sender.close();
  await until('the event is applied', async () => (await stack.value('SELECT count(*) FROM sluice_inbox')) === '1');
  writeFileSync(path.join(stack.dir, 'body.json'), body);
  await setLettersAside();
  standInForTheBrokersHost();
});
after(async () => {
  await stripe?.stop();
  await stack?.stop();
});

// Letters whose events can be applied by now, so that what the pages do to dead letters can be done.
async function setLettersAside() {
  await stack.query(`INSERT INTO sluice_dead_letter (id, subsystem, source, account, livemode, event_id, type, occurred_at, reason, error_class, error_code, error,
      fingerprint, attempts, routing_key, envelope, body_sha256) OVERRIDING SYSTEM VALUE
    SELECT id, 'billing', 'stripe', '', false, 'evt_letter_' || id, 'x.runbook', 'epoch', 'permanent', 'permanent', '23514', 'refused', fingerprint, 1,
      'stripe.x.runbook', envelope, sha256(envelope)
    FROM (SELECT id, fingerprint, decode('8aa17601a26964af6576745f6c65747465725f' || encode(id::text::bytea, 'hex')
      || 'a6736f75726365a6737472697065a474797065a9782e72756e626f6f6ba76163636f756e74a0a86c6976656d6f6465c2ab6f636375727265645f617400'
      || 'ab72656365697665645f617401ac636f6e74656e745f74797065b06170706c69636174696f6e2f6a736f6ea4626f6479c4027b7d', 'hex') AS envelope
      FROM (VALUES (4711, '0123456789abcdef'), (4712, 'fedcba9876543210'), (4713, '1111222233334444')) AS v(id, fingerprint)) AS letters`);
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

const isSql = (line) => /^(SELECT|WITH|UPDATE|DELETE|INSERT)\b/.test(line);

// {line, command}: SQL may go over several lines, everything else is one.
function commandsOf(page) {
  const found = [];
  const lines = text(`runbooks/${page}`).split('\n');
  lines.forEach((line, i) => {
    for (const [, inline] of line.matchAll(/`((?:sluice|sluice-consumer|sluice-publisher|SELECT) [^`…]+)`/g)) {
      found.push({ line: i + 1, command: inline });
    }
    if (!line.startsWith('    ')) return;
    const last = found.at(-1);
    if (last?.open && i === last.end) {
      Object.assign(last, { command: `${last.command}\n${line.trim()}`, end: i + 1 });
    } else {
      found.push({ line: i + 1, command: line.trim(), open: isSql(line.trim()), end: i + 1 });
    }
    if (line.trimEnd().endsWith(';')) found.at(-1).open = false;
  });
  return found;
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
    PATH: `${stack.dir}/bin:${process.env.SLUICE_BIN}:${process.env.PATH}`,
    SLUICE_PUBLISHER_URL: stack.url,
    SLUICE_CONSUMER_URL: `http://127.0.0.1:${stack.consumerPort}`,
  };
  return new Promise((resolve) => {
    execFile(program, args, { env, cwd: stack.dir, timeout: 60000 }, (error, stdout, stderr) =>
      resolve({ status: error ? (error.code ?? error.signal) : 0, said: stdout + stderr }));
  });
}

for (const page of pages) {
  for (const { line, command } of commandsOf(page)) {
    test(`${page}:${line}: ${command.split('\n')[0]}`, async () => {
      const { status, said } = await perform(command);
      assert.equal(status, 0, `${command}\n${said}`);
    });
  }
}

const quoted = (file, pattern) => [...text(file).matchAll(pattern)].map(([, name]) => name);
const metrics = new Map([...text('shared/metrics.def').matchAll(/^SL_METRIC\([^"]*"([a-z_]+)",(.*)$/gm)]
  .map(([, name, rest]) => [name, [...rest.matchAll(/"([a-z]+)",/g)].map(([, label]) => label)]));
const names = new Set([
  ...quoted('shared/events.def', /^SL_EVENT\("([^"]+)"/gm),
  ...quoted('shared/errors.def', /^SL_ERR\([^"]*"([^"]+)"/gm),
  ...quoted('schemas/topology.def', /^TOPOLOGY_EXCHANGE\("([^"]+)"/gm),
  ...quoted('compose/subsystems.conf', /^\[([a-z-]+)\]/gm).map((subsystem) => `sluice.${subsystem}`),
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

test('the reader of pages reads them all', () => {
  assert.ok(pages.flatMap(commandsOf).length >= 10);
  assert.equal(strange('consumer.slept'), 'no event, error, exchange or queue');
  assert.equal(strange('sluice_nothing_total'), 'no metric and no table');
  assert.equal(strange('sluice_publish_total{outcome="lost"}'), null);
  assert.equal(strange('SLUICE_NO_KEY'), 'no configuration key');
});
