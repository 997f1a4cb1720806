// sandbox - the release programs with everything given up that they do not need: all features work inside, and secrets stay where they are.
//
// Builds with sanitizers switch the sandbox off (their leak check traces its own process), so this test takes the release build.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { Sender, signature } from './lib/sender.mjs';
import { Stack, freePort, until } from './lib/stack.mjs';

let stack;
let sender;
let sentry;
const counted = []; // what Sentry was told
const secrets = {
  stripe: `whsec_canaryone${randomBytes(16).toString('hex')}`,
  renewed: `whsec_canarytwo${randomBytes(16).toString('hex')}`,
  sentry: `canarythree${randomBytes(16).toString('hex')}`,
};
let events = 0;
const event = () => JSON.stringify({ id: `evt_sandbox_${++events}`, object: 'event', type: 'x.sandbox', created: Math.floor(Date.now() / 1000) });
const status = (child, name) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
const started = (child) => until('it says that it has started', () => stack.linesOf(child, 'process.started').findLast((line) => line.instance.endsWith(`/${child.pid}`)));
const applied = (ids) => until('all are applied', async () =>
  Number(await stack.value(`SELECT count(*) FROM sluice_inbox WHERE event_id IN (${ids.map((id) => `'${id}'`).join(',')})`)) === ids.length);

// Replaces a secret as managers of secrets do: a new file, renamed into place.
function renew(file, content) {
  writeFileSync(`${file}.new`, content, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

before(async () => {
  stack = await Stack.start('sandbox', { withPublisher: false, withConsumer: false });
  stack.secret = secrets.stripe;
  const folder = path.join(stack.dir, 'secrets'); // outside of the state
  mkdirSync(folder);
  stack.files = { stripe: path.join(folder, 'stripe'), dsn: path.join(folder, 'dsn'), cert: path.join(folder, 'cert.pem'), key: path.join(folder, 'key.pem') };
  sentry = http.createServer((request, answer) => {
    request.on('data', (part) => counted.push(part.toString()));
    request.on('end', () => answer.writeHead(200, { 'content-length': 2 }).end('{}'));
  });
  await new Promise((resolve) => sentry.listen(0, 'localhost', resolve));
  renew(stack.files.stripe, secrets.stripe);
  renew(stack.files.dsn, `http://${secrets.sentry}@localhost:${sentry.address().port}/1`); // a name: it is looked up by a thread
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', stack.files.key, '-out', stack.files.cert], { stdio: 'ignore' });
  stack.httpsPort = await freePort();
  delete stack.environment.STRIPE_WEBHOOK_SECRET;
  stack.environment.SLUICE_STATE_DIR = path.join(stack.dir, 'state');
  mkdirSync(stack.environment.SLUICE_STATE_DIR, { mode: 0o700 });
  Object.assign(stack.publisherEnvironment, {
    STRIPE_WEBHOOK_SECRET_FILE: stack.files.stripe,
    SENTRY_DSN_FILE: stack.files.dsn,
    SLUICE_HTTPS_LISTEN: `127.0.0.1:${stack.httpsPort}`,
    SLUICE_TLS_CERT: stack.files.cert,
    SLUICE_TLS_KEY: stack.files.key,
  });
  await stack.startPublisher();
  await stack.startConsumer();
  sender = new Sender(stack, { connections: 8 });
});
after(async () => {
  sender?.close();
  sentry?.close();
  sentry?.closeAllConnections();
  await stack?.stop();
});

test('the start says what is in force, and the kernel agrees', async () => {
  for (const child of [stack.publisher, stack.consumer]) {
    const line = await started(child);
    assert.equal(line.sandbox_missing, '', 'this kernel has all of it');
    assert.match(line.sandbox, /^no new privileges, no core, landlock [1-9]\d*, seccomp$/);
    assert.equal(status(child, 'NoNewPrivs'), '1');
    assert.equal(status(child, 'Seccomp'), '2');
    for (const thread of readdirSync(`/proc/${child.pid}/task`)) {
      assert.match(readFileSync(`/proc/${child.pid}/task/${thread}/status`, 'utf8'), /^Seccomp:\s*2$/m);
    }
  }
});

test('events are taken, published and applied', async () => {
  const bodies = Array.from({ length: 300 }, event);
  const answers = await Promise.all(bodies.map((body) => sender.signed(body)));
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200]);
  await applied(bodies.map((body) => JSON.parse(body).id));
});

test('metrics know the process; health answers', async () => {
  assert.ok((await stack.metric('process_open_fds')) > 10);
  assert.ok((await stack.metric('process_resident_memory_bytes')) > 1e6);
  assert.equal((await (await fetch(`${stack.url}/health`)).json()).status, 'ok');
});

test('the control socket pauses and resumes', async () => {
  await stack.sluice('ingest', 'pause');
  assert.equal((await sender.signed(event())).status, 503);
  await stack.sluice('ingest', 'resume');
  assert.equal((await sender.signed(event())).status, 200);
});

test('secrets and certificate are renewed in place', async () => {
  const later = event();
  renew(stack.files.stripe, secrets.renewed);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=renewed', '-keyout', stack.files.key, '-out', stack.files.cert], { stdio: 'ignore' });
  stack.publisher.kill('SIGHUP');
  await until('the new secret is in force', async () => (await sender.post(later, { 'stripe-signature': signature(secrets.renewed, later) })).status === 200);
  stack.secret = secrets.renewed;
  const name = await new Promise((resolve, reject) => {
    const request = https.get({ host: '127.0.0.1', port: stack.httpsPort, path: '/livez', rejectUnauthorized: false }, (answer) => {
      resolve(answer.socket.getPeerCertificate().subject.CN);
      answer.resume();
    });
    request.on('error', reject);
  });
  assert.equal(name, 'renewed');
});

test('with the broker away: journal, Sentry by a name, and replay by the next process', async () => {
  await stack.terminate(stack.publisher);
  const amqp = stack.environment.AMQP_URL;
  stack.environment.AMQP_URL = `amqp://guest:canaryfour@127.0.0.1:${await freePort()}`;
  await stack.startPublisher();
  const bodies = Array.from({ length: 50 }, event);
  const answers = await Promise.all(bodies.map((body) => sender.signed(body)));
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [202]);
  stack.environment.AMQP_URL = amqp;
  await stack.terminate(stack.publisher); // tells Sentry its last counts
  assert.ok(counted.join('').includes('eventbus.status'), counted.join('').slice(0, 500));
  await stack.startPublisher();
  await applied(bodies.map((body) => JSON.parse(body).id));
});

// Lets a publisher with no limit on cores crash; what it leaves in the folder it runs in.
async function crash(name, extra) {
  const folder = path.join(stack.dir, name);
  mkdirSync(folder, { mode: 0o700 });
  const child = stack.spawn('sluice-publisher', { ...stack.publisherEnvironment, SLUICE_HTTP_LISTEN: '127.0.0.1:0', SLUICE_HTTPS_LISTEN: '127.0.0.1:0', SLUICE_METRICS_LISTEN: '127.0.0.1:0', SLUICE_STATE_DIR: folder, ...extra },
    ['prlimit', '--core=unlimited', 'env', `--chdir=${folder}`]);
  await until('it runs', () => stack.logOf(child).split('\n').some((line) => line.includes('"process.started"') && line.includes(`/${child.pid}"`)));
  const limits = readFileSync(`/proc/${child.pid}/limits`, 'utf8');
  child.kill('SIGSEGV');
  assert.equal((await child.ended).signal, 'SIGSEGV');
  return { limits, cores: readdirSync(folder).filter((one) => one.includes('core')) };
}

test('a crash leaves no core', async () => {
  const { limits, cores } = await crash('crash', {});
  assert.match(limits, /Max core file size\s+0\s+0/);
  assert.deepEqual(cores, []);
  if (!/[|/]/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'))) {
    const without = await crash('crash-without', { SLUICE_SANDBOX: 'off' });
    assert.equal(without.cores.length, 1, 'without the sandbox there is one');
  }
});

test('every line of the logs is ours', () => {
  for (const child of [stack.publisher, stack.consumer]) {
    for (const line of stack.logOf(child).trim().split('\n')) assert.ok(JSON.parse(line).event, line);
  }
});

test('no secret is in a log, an argument, or, given as a file, the environment', () => {
  const canaries = [secrets.stripe.slice(6), secrets.renewed.slice(6), secrets.sentry, 'canaryfour', decodeURIComponent(new URL(stack.environment.AMQP_URL).password)];
  const places = {
    'the publisher\'s log': stack.logOf(stack.publisher),
    'the consumer\'s log': stack.logOf(stack.consumer),
    'its arguments': readFileSync(`/proc/${stack.publisher.pid}/cmdline`, 'latin1'),
    'what Sentry was told': counted.join('').replaceAll(secrets.sentry, (_, at) => ''), // the key is how Sentry knows us
  };
  for (const [place, text] of Object.entries(places)) {
    assert.ok(text.length > 0, place);
    for (const canary of canaries) assert.ok(!text.includes(canary), place);
  }
  const environment = readFileSync(`/proc/${stack.publisher.pid}/environ`, 'latin1');
  for (const canary of canaries.slice(0, 3)) assert.ok(!environment.includes(canary));
  assert.ok(existsSync(stack.files.stripe));
});

test('it can be required, and switched off', async () => {
  for (const [word, sandbox, missing] of [['require', /seccomp$/, ''], ['off', /^none$/, 'switched off']]) {
    await stack.terminate(stack.publisher);
    stack.publisherEnvironment.SLUICE_SANDBOX = word;
    await stack.startPublisher();
    const line = await started(stack.publisher);
    assert.match(line.sandbox, sandbox);
    assert.equal(line.sandbox_missing, missing);
  }
  assert.equal(status(stack.publisher, 'Seccomp'), '0');
});
