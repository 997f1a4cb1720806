// doctor - `sluice doctor` on a real stack: nothing is named while all is well; each fault that is planted is named with its fix, and nothing else is.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { FakeStripe } from '../support/fake_stripe.mjs';
import { freePort, Stack, until } from './lib/stack.mjs';
import { Sender } from './lib/sender.mjs';
import { servers } from './lib/servers.mjs';

let stack;
let secrets; // none of them may ever be printed

before(async () => {
  stack = await Stack.start('doctor');
  const passwords = [stack.amqpUrl, stack.databaseUrl, stack.servers.RABBITMQ_API_URL].map((url) => new URL(url).password);
  secrets = [stack.secret, ...passwords].filter((text) => text.length > 5);
  assert.ok(secrets.length >= 3);
});
after(async () => {
  await stack?.stop();
});

// {status, checks: name -> row, named: names of what is not well, sorted}
function doctor(environment = {}, ...args) {
  return doctorIn([], environment, ...args);
}

// wrapper: a command that ends in running its arguments.
function doctorIn(wrapper, environment = {}, ...args) {
  const env = {
    ...stack.environment,
    RABBITMQ_API_URL: stack.servers.RABBITMQ_API_URL,
    SLUICE_CONSUMER_URL: `http://127.0.0.1:${stack.consumerPort}`,
    ...environment,
  };
  return new Promise((resolve, reject) => {
    const [program, ...rest] = [...wrapper, path.resolve(process.env.SLUICE_BIN, 'sluice'), 'doctor', '-o', 'json', ...args];
    execFile(program, rest, { env, maxBuffer: 16 << 20, timeout: 300000 }, (error, stdout, stderr) => {
      if (!stdout.startsWith('[')) return reject(new Error(`${error}\n${stderr}`));
      for (const secret of secrets) {
        if (`${stdout}${stderr}`.includes(secret)) return reject(new Error('a secret is printed'));
      }
      const rows = JSON.parse(stdout);
      const named = rows.filter((row) => ['warn', 'FAIL'].includes(row.verdict)).map((row) => row.check).sort();
      return resolve({ status: error?.code ?? 0, checks: Object.fromEntries(rows.map((row) => [row.check, row])), named });
    });
  });
}
const told = ({ checks, named }) => named.map((name) => `${checks[name].verdict} ${name}: ${checks[name].finding} -> ${checks[name].fix}`).join('\n');

// Each of `faults` (check -> [finding, fix]) is named so, and nothing else is.
function names(found, faults, status = 1) {
  assert.deepEqual(found.named, Object.keys(faults).sort(), told(found));
  for (const [check, [finding, fix]] of Object.entries(faults)) {
    assert.match(found.checks[check].finding, finding, check);
    assert.match(found.checks[check].fix, fix, check);
  }
  assert.equal(found.status, status, told(found));
}
const isHealthy = async () => {
  const found = await doctor();
  assert.deepEqual(found.named, [], told(found));
  assert.equal(found.status, 0);
  return found;
};

test('a healthy stack: none is named, and more than forty checks were made', async () => {
  const { checks } = await isHealthy();
  const rows = Object.values(checks);
  assert.deepEqual(rows.filter((row) => row.finding === 'not looked at'), []);
  assert.ok(rows.filter((row) => row.verdict === 'ok').length >= 40, rows.map((row) => `${row.verdict} ${row.check}`).join('\n'));
});

test('faults of the configuration', async () => {
  const pair = (name, days) => {
    const [certificate, key] = [path.join(stack.dir, `${name}.pem`), path.join(stack.dir, `${name}.key`)];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', String(days), '-subj', '/CN=localhost', '-keyout', key, '-out', certificate], { stdio: 'ignore' });
    return [certificate, key];
  };
  const [ours, oursKey] = pair('ours', 2);
  const [shown, shownKey] = pair('shown', 10);
  const short = randomBytes(6).toString('hex');
  secrets.push(short);
  const found = await doctor({
    SLUICE_BODYMAX: '2MiB',
    STRIPE_WEBHOOK_SECRET: 'whsec_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
    QUEUE_SERVICE_TOKEN_CONSOLE: short,
    FLAG_QUEUE_BILLING: 'false',
    SLUICE_DEGRADED_POLICY: 'drop',
    FLAG_ENFORCE_QUEUE_CF_ORIGIN: 'true',
    SENTRY_DSN: 'https://example.com',
    SENTRY_ENVIRONMENT: 'production',
    STRIPE_API_KEY: `sk_test_${randomBytes(12).toString('hex')}`,
    STRIPE_PUBLISHABLE_KEY: `pk_live_${randomBytes(12).toString('hex')}`,
    SLUICE_TLS_CERT: ours,
    SLUICE_TLS_KEY: oursKey,
    SLUICE_AMQP_CERT: shown,
    SLUICE_AMQP_KEY: shownKey,
    SLUICE_STATE_DIR: path.join(stack.dir, 'not-there'),
  });
  names(found, {
    'config.keys': [/^2 mistakes; the first: SLUICE_BODYMAX: no program knows this name; did you mean SLUICE_BODY_MAX\?/, /--help/] /* the other: a certificate for a broker without TLS */,
    'config.secret': [/STRIPE_WEBHOOK_SECRET is a placeholder/, /whsec_… *\) from Stripe's dashboard/],
    'config.tokens': [/QUEUE_SERVICE_TOKEN_CONSOLE is shorter than 32/, /^QUEUE_SERVICE_TOKEN_CONSOLE=\$\(openssl rand -hex 32\)/],
    'config.billing': [/FLAG_QUEUE_BILLING is false/, /^FLAG_QUEUE_BILLING=true$/],
    'config.policy': [/policy drop answers 202 for events that are dropped/, /^SLUICE_DEGRADED_POLICY=journal$/],
    'config.origin': [/everything is answered 403/, /SLUICE_TRUSTED_PROXIES=/],
    'config.sentry': [/./, /^SENTRY_DSN=/],
    'stripe.mode': [/^STRIPE_API_KEY is a test key in production$/, /^STRIPE_API_KEY=/],
    'stripe.agree': [/STRIPE_API_KEY is a test key, STRIPE_PUBLISHABLE_KEY a live key/, /same mode/],
    'tls.server': [/ours\.pem expires in [12] days/, /kill -HUP/],
    'tls.broker': [/shown\.pem expires in (9|10) days/, /SLUICE_AMQP_CERT/],
    'machine.state': [/not-there: No such file or directory/, /^mkdir -p .*not-there$/],
  });
});

test('files of subsystems and sources that cannot be read', async () => {
  const file = path.join(stack.dir, 'broken.conf');
  writeFileSync(file, '[billing]\nhandler = biling\n');
  names(await doctor({ SLUICE_SUBSYSTEMS: file, SLUICE_SOURCES: file }, '--only', 'config'), {
    'config.subsystems': [/broken\.conf:2: \[billing\] handler: .*did you mean billing\?/, /SLUICE_SUBSYSTEMS/],
    'config.sources': [/\d+ mistakes|broken\.conf:\d/, /SLUICE_SOURCES/],
  });
});

test('what operators have set, and what the database suffers from', async () => {
  const name = stack.name;
  const undo = [];
  const plant = async (sql, back) => {
    undo.push(back);
    return stack.query(sql);
  };
  try {
    await plant('CREATE TABLE forgotten (n integer)', () => stack.query('DROP TABLE forgotten'));
    const end = await stack.lock('LOCK TABLE forgotten');
    const since = Date.now();
    const blocked = stack.query('SELECT count(*) FROM forgotten');
    undo.push(() => end().then(() => blocked));
    await plant('CREATE TABLE doubled AS SELECT 1 AS n FROM generate_series(1, 2)', () => stack.query('DROP TABLE doubled'));
    await assert.rejects(stack.query('CREATE UNIQUE INDEX CONCURRENTLY doubled_n ON doubled (n)'));
    await plant(`ALTER DATABASE "${name}" SET synchronous_commit = off`, () => stack.query(`ALTER DATABASE "${name}" RESET synchronous_commit`));
    await plant(`ALTER DATABASE "${name}" CONNECTION LIMIT 22`, () => stack.query(`ALTER DATABASE "${name}" CONNECTION LIMIT -1`));
    await plant('ALTER TABLE billing_invoice SET (autovacuum_enabled = off)', () => stack.query('ALTER TABLE billing_invoice RESET (autovacuum_enabled)'));
    const [newest] = await stack.query('SELECT version, name, checksum FROM sluice_migration ORDER BY version DESC LIMIT 1');
    await plant(`DELETE FROM sluice_migration WHERE version = ${newest[0]}`, () => stack.query(`INSERT INTO sluice_migration (version, name, checksum) VALUES (${newest[0]}, '${newest[1]}', '${newest[2]}')`));
    const parts = await stack.query(`SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'sluice_inbox'::regclass AND c.relname ~ '^sluice_inbox_p[0-9]{8}$' AND c.relname > 'sluice_inbox_p' || to_char(current_date, 'YYYYMMDD')`);
    await plant(`DROP TABLE ${parts.join()}`, () => stack.query('SELECT sluice_inbox_make_partitions()'));
    await plant(`INSERT INTO sluice_dead_letter (subsystem, source, livemode, event_id, type, reason, error_class, error_code, error, fingerprint, envelope, body_sha256)
      SELECT 'billing', 'stripe', false, 'evt_doctor_' || n, 'x.y', 'permanent', 'permanent', '23514', 'violates a check', 'f', '', sha256(n::text::bytea)
      FROM generate_series(1, 7) AS n`, () => stack.query('DELETE FROM sluice_dead_letter'));
    const order = async (does, undoes) => {
      undo.push(() => stack.sluice(...undoes));
      await stack.sluice(...does);
    };
    await order(['queue', 'pause', 'billing', '--reason', 'table is being rebuilt'], ['queue', 'resume', 'billing']);
    await order(['breaker', 'trip', 'billing', 'invoice.paid'], ['breaker', 'close', 'billing', 'invoice.paid', '--for', '1s']);
    await order(['queue', 'set', 'billing', 'batch=50'], ['queue', 'set', 'billing', '--reset']);
    await order(['ingest', 'pause', '--source', 'stripe'], ['ingest', 'resume']);
    await order(['log', 'set', '--level', 'debug'], ['log', 'set', '--level', 'info']);
    await until('the forgotten transaction is half a minute old', () => Date.now() - since > 32000, 60000);
    names(await doctor({ PG_POOL_MAX: '16' }), {
      'consumer.paused': [/billing \(table is being rebuilt\) paused/, /^sluice queue resume billing$/],
      'consumer.breakers': [/^billing invoice\.paid held back/, /sluice breaker close billing 'invoice\.paid'$/],
      'consumer.knobs': [/billing batch=50/, /sluice queue set billing --reset/],
      'dead.open': [/^7, most of billing: violates a check/, /sluice dead groups/],
      'dead.recent': [/^7: /, /sluice dead groups --since 15m/],
      'publisher.ingest': [/^stripe is kept out/, /^sluice ingest resume$/],
      'publisher.log': [/debug/, /^sluice log set --level info$/],
      'postgres.migrations': [/1 migrations are not applied/, /sluice migrate up/],
      'postgres.budget': [/of ours.*the connection limit of the database is 22: \d+ too many/, /PG_POOL_MAX/],
      'postgres.idle': [/idle in a transaction for \d+ s: process \d+/, /^SELECT pg_terminate_backend\(\d+\)$/],
      'postgres.blocked': [/waits for \d+ s: process \d+, .*SELECT count\(\*\) FROM forgotten, behind process \d+/, /^SELECT pg_terminate_backend\(\d+\)$/],
      'postgres.index_invalid': [/^1: doubled_n$/, /^REINDEX INDEX CONCURRENTLY doubled_n$/],
      'postgres.durable': [/synchronous_commit is off/, /^ALTER DATABASE .* RESET synchronous_commit$/],
      'postgres.partitions': [/^\d days ahead/, /^SELECT sluice_inbox_make_partitions\(\)$/],
      'postgres.autovacuum': [/off for billing_invoice/, /^ALTER TABLE billing_invoice RESET \(autovacuum_enabled\)$/],
    });
  } finally {
    for (const back of undo.reverse()) await back();
  }
  await until('what was set is over', async () => (await doctor()).named.length === 0);
});

// The library alone: its wrapper program is a process of its own.
const clock = readdirSync('/usr/lib', { withFileTypes: true }).map((entry) => `/usr/lib/${entry.name}/faketime/libfaketime.so.1`).find((file) => existsSync(file));
test("a machine whose clock is wrong", { skip: clock === undefined }, async () => {
  names(await doctor({ LD_PRELOAD: clock, FAKETIME: '+45s', FAKETIME_DONT_FAKE_MONOTONIC: '1', ASAN_OPTIONS: `${stack.environment.ASAN_OPTIONS}:verify_asan_link_order=0` }, '--only', 'machine'), {
    'machine.clock': [/it is ahead of Postgres's by 4\d s/, /^timedatectl set-ntp true/],
  });
});

const small = ['unshare', '-rm', 'sh', '-c', 'mount -t tmpfs -o size=64m tmpfs "$SLUICE_STATE_DIR" && chmod 700 "$SLUICE_STATE_DIR" && exec "$@"', 'sh'];
test('a disk with little room', { skip: spawnSync(small[0], [...small.slice(1), 'true'], { env: { ...process.env, SLUICE_STATE_DIR: '/mnt' } }).status !== 0 }, async () => {
  const folder = path.join(stack.dir, 'small');
  mkdirSync(folder, { mode: 0o700 });
  names(await doctorIn(small, { SLUICE_STATE_DIR: folder }, '--only', 'machine'), {
    'machine.disk': [/^only \d+ MiB free at .*small/, /never remove files of the journal/],
  });
});

test('a journal that a restart empties', { skip: !existsSync('/dev/shm') }, async () => {
  const folder = mkdtempSync('/dev/shm/sluice-doctor-');
  const [door, metrics] = [await freePort(), await freePort()];
  const publisher = stack.spawn('sluice-publisher', { SLUICE_STATE_DIR: folder, SLUICE_HTTP_LISTEN: `127.0.0.1:${door}`, SLUICE_METRICS_LISTEN: `127.0.0.1:${metrics}`, SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' });
  try {
    await until('it is ready', () => stack.isReady(door, publisher));
    names(await doctor({ SLUICE_PUBLISHER_URL: `http://127.0.0.1:${door}`, SLUICE_STATE_DIR: folder }, '--only', 'journal'), {
      'journal.durable': [/a restart empties/, /SLUICE_STATE_DIR=<a folder on a disk>/],
    }, 0);
  } finally {
    await stack.terminate(publisher);
    rmSync(folder, { recursive: true });
  }
});

// What takes half an hour, or another server, is made by what Postgres says of itself: views and functions in front of its own.
test('a transaction of half an hour, a Postgres of another age, and an index that is being built', async () => {
  await stack.query(`CREATE TABLE growing AS SELECT 1 AS n;
    CREATE SCHEMA edge;
    CREATE VIEW edge.pg_stat_activity AS SELECT datid, datname, pid, leader_pid, usesysid, usename, application_name, client_addr, client_hostname, client_port, backend_start,
      xact_start - interval '40 minutes' AS xact_start, query_start, state_change, wait_event_type, wait_event, state, backend_xid, backend_xmin, query_id, query, backend_type FROM pg_catalog.pg_stat_activity;
    CREATE FUNCTION edge.current_setting(name text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT CASE name WHEN 'server_version_num' THEN '120022' WHEN 'server_version' THEN '12.22' ELSE pg_catalog.current_setting(name) END $$`);
  const end = await stack.lock('LOCK TABLE growing IN ROW EXCLUSIVE MODE'); // a writer, which the build waits for
  const building = stack.query('CREATE INDEX CONCURRENTLY growing_n ON growing (n)');
  try {
    const url = new URL(stack.databaseUrl);
    url.searchParams.set('options', '-csearch_path=edge,pg_catalog,public');
    const checks = 'postgres.version,postgres.transaction,postgres.index_build';
    const found = await until('the build has begun', async () => {
      const seen = await doctor({ DATABASE_URL: url.href }, '--only', checks);
      return seen.named.includes('postgres.index_build') && seen;
    });
    names(found, {
      'postgres.version': [/12\.22/, /./],
      'postgres.transaction': [/one is open for 40 min/, /^SELECT pg_terminate_backend\(\d+\)$/],
      'postgres.index_build': [/^on growing: /, /^wait for it, or: SELECT pg_cancel_backend\(\d+\)$/],
    });
  } finally {
    await end();
    await building;
    await stack.query('DROP SCHEMA edge CASCADE; DROP TABLE growing');
  }
});

test('a broker of another age', async () => {
  const api = new URL(stack.servers.RABBITMQ_API_URL);
  const relay = http.createServer(async (request, response) => {
    const { authorization } = request.headers;
    const answer = await fetch(`${api.protocol}//${api.host}${request.url}`, { headers: authorization === undefined ? {} : { authorization } });
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end((await answer.text()).replace(/"rabbitmq_version":"[^"]*"/, '"rabbitmq_version":"3.9.29"'));
  });
  await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve));
  try {
    const old = new URL(api);
    old.port = relay.address().port;
    names(await doctor({ RABBITMQ_API_URL: old.href }, '--only', 'broker'), {
      'broker.version': [/^RabbitMQ 3\.9\.29 is older than 3\.10/, /upgrade RabbitMQ/],
    });
  } finally {
    relay.closeAllConnections();
    relay.close();
  }
});

test("the database's own breaker, told in a way that a shell reads", async () => {
  await stack.sluice('breaker', 'trip', '--database', '--reason', 'restore');
  names(await doctor({}, '--only', 'consumer.breakers'), { 'consumer.breakers': [/^the database held back/, /: sluice breaker close --database$/] }, 0);
  await stack.sluice('breaker', 'close', '--database', '--for', '1s');
  await until('it is closed', async () => (await doctor({}, '--only', 'consumer.breakers')).named.length === 0);
});

test('a role that may not write', async () => {
  const role = `reader_${process.pid}`;
  const password = randomBytes(12).toString('hex');
  secrets.push(password);
  await stack.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role};
    ALTER ROLE ${role} SET default_transaction_read_only = on`);
  try {
    const url = new URL(stack.databaseUrl);
    Object.assign(url, { username: role, password });
    names(await doctor({ DATABASE_URL: url.href }), {
      'postgres.permissions': [/not .*billing_customer.*sluice_/, new RegExp(`^GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}$`)],
      'postgres.sight': [/^\d+ sessions of other roles are hidden/, new RegExp(`^GRANT pg_read_all_stats TO ${role}$`)],
      'postgres.writable': [/default_transaction_read_only is on/, /target_session_attrs=read-write/],
    });
  } finally {
    await stack.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

test('what the broker suffers from', async () => {
  const [name, user] = [stack.name, `narrow_${process.pid}`];
  const password = randomBytes(12).toString('hex');
  secrets.push(password);
  await stack.api('PUT', `/api/users/${user}`, { password, tags: '' });
  await stack.api('PUT', `/api/permissions/${name}/${user}`, { configure: '.*', write: '^amq\\.default$', read: '.*' });
  await stack.api('PUT', `/api/policies/${name}/cap`, { pattern: '^sluice\\.billing$', definition: { 'max-length': 10 }, 'apply-to': 'queues' });
  await stack.api('DELETE', `/api/queues/${name}/sluice.delay.07`);
  await stack.api('DELETE', `/api/queues/${name}/sluice.delay.03`);
  await stack.api('PUT', `/api/queues/${name}/sluice.delay.03`, { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-message-ttl': 1234 } });
  try {
    const url = new URL(stack.amqpUrl);
    Object.assign(url, { username: user, password });
    const found = await until('the policy is in force', async () => {
      const seen = await doctor({ AMQP_URL: url.href });
      return seen.named.includes('broker.policy') && seen;
    });
    names(found, {
      'broker.permissions': [new RegExp(`^${user} may not publish to sluice\\.events`), new RegExp(`rabbitmqctl set_permissions -p .* ${user} `)],
      'broker.policy': [/^max-length is set on sluice\.billing by a policy/, /rabbitmqctl clear_policy/],
      'broker.topology': [/sluice\.delay\.07/, /^sluice topology apply$/],
      'broker.drift': [/^1 differ: sluice\.delay\.03 has x-/, /^sluice topology diff/],
    });
  } finally {
    await stack.api('DELETE', `/api/users/${user}`);
    await stack.api('DELETE', `/api/policies/${name}/cap`);
    await stack.api('DELETE', `/api/queues/${name}/sluice.delay.03`);
    await stack.sluice('topology', 'apply');
  }
  await until('all is well again', async () => (await doctor()).named.length === 0);
});

test('nobody consumes', async () => {
  await stack.terminate(stack.consumer);
  const sender = new Sender(stack);
  await sender.sendAll(Array.from({ length: 60 }, (_, n) => ({ id: `evt_wait_${n}`, type: 'customer.created', created: 1700000000, livemode: false, data: { object: { id: `cus_w${n}`, object: 'customer', created: 1700000000 } } })));
  sender.close();
  const publish = (exchange, key) => stack.api('POST', `/api/exchanges/${stack.name}/${exchange}/publish`, { properties: { delivery_mode: 2 }, routing_key: key, payload: '?', payload_encoding: 'string' });
  await publish('sluice.events', 'nobody.binds.this');
  await publish('amq.default', 'sluice.billing.parked');
  const found = await until('its row has gone, and the messages are there', async () => {
    const seen = await doctor();
    return ['consumer.present', 'queue.parked', 'queue.unrouted', 'queue.waiting'].every((check) => seen.named.includes(check)) && seen;
  }, 40000);
  names(found, {
    'consumer.up': [/refused|connect/i, /start sluice-consumer/],
    'consumer.present': [/nobody for 1 of them: billing/, /^start sluice-consumer billing/],
    'queue.consumers': [/nobody consumes sluice\.billing/, /start sluice-consumer/],
    'queue.waiting': [/^60 for billing$/, /sluice queue drain billing/],
    'queue.parked': [/^1 of billing/, /start sluice-consumer/],
    'queue.unrouted': [/^1 in sluice\.unrouted/, /sluice topology diff/],
  });
  await stack.startConsumer();
  await until('it has caught up, with two dead letters', async () => (await doctor()).named.join() === 'dead.open');
  await stack.query('DELETE FROM sluice_dead_letter');
  await isHealthy();
});

test('an alarm of the broker', async () => {
  await servers.rabbitmqctl('set_disk_free_limit', '100000GB');
  try {
    const sender = new Sender(stack);
    const found = await until('the alarm is seen, and the publisher has met it', async () => {
      await sender.signed(`{"id":"evt_alarm_${Date.now()}","type":"x.alarm"}`);
      const seen = await doctor();
      return ['broker.alarms', 'publisher.health'].every((check) => seen.named.includes(check)) && seen;
    }, 60000);
    sender.close();
    names(found, {
      'broker.alarms': [/^disk alarm on /, /rabbitmq-diagnostics alarms/],
      'broker.disk': [/free space is 0 % of the limit/, /free disk space/],
      'broker.way': [/^publish fails/, /memory or disk alarm/],
      'publisher.health': [/degraded/, /sluice doctor broker/],
    });
  } finally {
    await servers.rabbitmqctl('set_disk_free_limit', '50MB');
  }
  await until('all is well again', async () => (await doctor()).named.length === 0, 60000);
});

test('servers that cannot be reached are named once each, and hide nothing', async () => {
  const [amqp, database] = [new URL(stack.amqpUrl), new URL(stack.databaseUrl)];
  amqp.port = await freePort();
  database.port = await freePort();
  const found = await doctor({ AMQP_URL: amqp.href, DATABASE_URL: database.href, SLUICE_PUBLISHER_URL: `http://127.0.0.1:${await freePort()}` });
  names(found, {
    'broker.way': [/^tcp fails: .*refused/, /firewall/],
    'postgres.reach': [/refused/, /psql "\$DATABASE_URL"/],
    'publisher.up': [/connect/i, /SLUICE_PUBLISHER_URL/],
  });
  assert.equal(found.checks['broker.version'].verdict, 'ok');
  assert.equal(found.checks['journal.usable'].verdict, 'ok');
  assert.deepEqual([found.checks['postgres.idle'].verdict, found.checks['queue.waiting'].verdict], ['skip', 'skip']);
});

test('an endpoint at Stripe that is switched off', async () => {
  const stripe = await FakeStripe.start();
  const at = { STRIPE_API_BASE: stripe.url, STRIPE_API_KEY: stripe.key, SLUICE_PUBLIC_URL: 'https://hooks.example.com' };
  const put = (status) => stripe.put('webhook_endpoints', { id: 'we_1', object: 'webhook_endpoint', url: 'https://hooks.example.com/webhooks/stripe', status, enabled_events: ['*'] });
  secrets.push(stripe.key);
  try {
    names(await doctor(at), { 'stripe.endpoint': [/no endpoint of Stripe's leads to https:\/\/hooks\.example\.com/, /^sluice doctor stripe$/] });
    put('disabled');
    names(await doctor(at), { 'stripe.endpoint': [/we_1.*disabled/, /^sluice doctor stripe$/] });
    put('enabled');
    names(await doctor(at), {}, 0);
  } finally {
    await stripe.stop();
  }
});

test('a part of it, and a word that is none', async () => {
  const { checks } = await doctor({}, '--only', 'queue,postgres.reach');
  assert.deepEqual(Object.keys(checks), ['queue.consumers', 'queue.waiting', 'queue.parked', 'queue.unrouted', 'postgres.reach']);
  await assert.rejects(doctor({}, '--only', 'postgre'), /no check and no group is called 'postgre'/);
});

test('a warning is a problem only when asked so', async () => {
  await stack.sluice('queue', 'set', 'billing', 'batch=50');
  try {
    assert.equal((await doctor()).status, 0);
    assert.equal((await doctor({}, '--strict')).status, 1);
  } finally {
    await stack.sluice('queue', 'set', 'billing', '--reset');
  }
});
