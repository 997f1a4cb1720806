// door_listeners - the other ways in: TLS with and without client certificates, a Unix socket, sockets passed by a service manager, and what the
// manager is told.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { test, before, after } from 'node:test';
import tls from 'node:tls';
import { parseAnswers, talk } from './lib/raw.mjs';
import { signature } from './lib/sender.mjs';
import { Stack, freePort, until } from './lib/stack.mjs';

let stack;
let events = 0;
const port = {};
const files = {};
const promised = [];

// A key and a certificate for `name`, by itself or by an authority.
function certify(name, authority) {
  const one = { key: path.join(stack.dir, `${name}.key`), cert: path.join(stack.dir, `${name}.pem`) };
  const by = authority ? ['-CA', authority.cert, '-CAkey', authority.key] : [];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-addext', 'subjectAltName=IP:127.0.0.1', ...by, '-keyout', one.key, '-out', one.cert], { stdio: 'ignore' });
  return one;
}

const options = (more = {}) => ({ host: '127.0.0.1', port: port.https, rejectUnauthorized: false, ...more });

// One event over any kind of connection; its answer's status.
async function deliver(socket) {
  const one = { id: `evt_listener_${++events}`, object: 'event', type: 'x.listener', created: Math.floor(Date.now() / 1000) };
  const body = JSON.stringify(one);
  const head = `POST /webhooks/stripe HTTP/1.1\r\nHost: door.test\r\nStripe-Signature: ${signature(stack.secret, body)}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const { answers } = await talk(0, head + body, { socket, expect: 1, halfClose: false });
  if (answers[0]?.status === 200) promised.push(one.id);
  return answers[0]?.status;
}

// A request and its answer, after which the connection is open still.
const answered = (socket) => new Promise((resolve) => {
  let bytes = Buffer.alloc(0);
  const onData = (part) => {
    bytes = Buffer.concat([bytes, part]);
    if (parseAnswers(bytes).answers.length === 0) return;
    socket.off('data', onData);
    resolve();
  };
  socket.on('data', onData);
  socket.write('GET /livez HTTP/1.1\r\nHost: door.test\r\n\r\n');
});

const connected = (socket, event) => new Promise((resolve, reject) => {
  socket.once(event, () => resolve(socket));
  socket.once('error', reject);
});
const overTls = (more) => connected(tls.connect(options(more)), 'secureConnect');

before(async () => {
  stack = await Stack.start('listeners', { withPublisher: false });
  files.first = certify('first.test');
  files.second = certify('second.test');
  files.authority = certify('authority.test');
  files.client = certify('client.test', files.authority);
  files.stranger = certify('stranger.test');
  files.cert = path.join(stack.dir, 'server.pem');
  files.key = path.join(stack.dir, 'server.key');
  files.socket = path.join(stack.dir, 'ingest.sock');
  copyFileSync(files.first.cert, files.cert);
  copyFileSync(files.first.key, files.key);
  port.https = await freePort();
  Object.assign(stack.publisherEnvironment, {
    SLUICE_HTTPS_LISTEN: `127.0.0.1:${port.https}`,
    SLUICE_TLS_CERT: files.cert,
    SLUICE_TLS_KEY: files.key,
    SLUICE_HTTP_HEAD_TIMEOUT: '10s',
  });
  await stack.startPublisher();
});
after(() => stack?.stop());

test('an event over TLS is taken and applied; HTTP/1.1 is what ALPN gets', async () => {
  const socket = await overTls({ ALPNProtocols: ['h2', 'http/1.1'] });
  assert.equal(socket.alpnProtocol, 'http/1.1');
  assert.match(socket.getProtocol(), /^TLSv1\.3$/);
  assert.equal(await deliver(socket), 200);
  await until('the event is applied', async () => (await stack.value(`SELECT count(*) FROM sluice_inbox WHERE event_id = '${promised.at(-1)}'`)) === '1');
});

test('a client of Node\'s keeps its connection over TLS, and reads large and last answers', async () => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  const ask = (more = {}) => new Promise((resolve, reject) => {
    const request = https.request({ ...options(), agent, path: '/health', ...more }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve({ status: answer.statusCode, reused: request.reusedSocket }));
    });
    request.on('error', reject);
    request.end(more.body);
  });
  assert.deepEqual(await ask(), { status: 200, reused: false });
  assert.deepEqual(await ask(), { status: 200, reused: true });
  const large = await ask({ method: 'POST', path: '/webhooks/stripe', body: Buffer.alloc(3000000) });
  assert.equal(large.status, 413);
  agent.destroy();
});

test('TLS 1.1 and plain HTTP are not spoken on the TLS port', async () => {
  await assert.rejects(overTls({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
  const { answers } = await talk(port.https, 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n', { halfClose: false });
  assert.deepEqual(answers, []);
});

test('a handshake that does not go on is ended', async () => {
  const isEnded = async (bytes) => {
    const socket = await connected(net.connect(port.https, '127.0.0.1'), 'connect');
    const ended = new Promise((resolve) => socket.on('close', resolve));
    socket.resume();
    if (bytes) socket.write(bytes);
    await ended;
  };
  await Promise.all([isEnded(), isEnded(Buffer.from('1603010200', 'hex'))]); // silent, and half of one
});

test('a new certificate is served after SIGHUP; open connections go on; a broken one changes nothing', async () => {
  const name = (socket) => socket.getPeerCertificate().subject.CN;
  const open = await overTls();
  assert.equal(name(open), 'first.test');
  await answered(open); // from now on it may be idle
  copyFileSync(files.second.cert, files.cert);
  copyFileSync(files.second.key, files.key);
  stack.publisher.kill('SIGHUP');
  const fresh = await until('the new certificate is served', async () => {
    const socket = await overTls();
    if (name(socket) === 'second.test') return socket;
    socket.destroy();
    return false;
  });
  assert.equal(await deliver(open), 200);
  assert.equal(await deliver(fresh), 200);
  copyFileSync(files.first.key, files.key); // no longer fits
  stack.publisher.kill('SIGHUP');
  await until('the broken pair is told', () => stack.logOf(stack.publisher).includes('"tls.rejected"'));
  const after = await overTls();
  assert.equal(name(after), 'second.test');
  assert.equal(await deliver(after), 200);
  const line = stack.logOf(stack.publisher).split('\n').find((one) => one.includes('"tls.rejected"'));
  assert.match(JSON.parse(line).error, /key values mismatch/);
  assert.ok((await stack.metric('sluice_tls_certificate_expiry_timestamp_seconds')) > Date.now() / 1000);
});

test('a pair that cannot be read, or half of one, stops the start and says what is wrong', () => {
  const bin = path.join(process.env.SLUICE_BIN, 'sluice-publisher');
  const start = (extra) => spawnSync(bin, { env: { ...stack.environment, ...stack.publisherEnvironment, SLUICE_HTTP_LISTEN: '127.0.0.1:0', SLUICE_METRICS_LISTEN: '127.0.0.1:0', SLUICE_HTTPS_LISTEN: '127.0.0.1:0', ...extra }, encoding: 'utf8', timeout: 300000 });
  for (const [extra, said] of [
    [{ SLUICE_TLS_KEY: '' }, /SLUICE_HTTPS_LISTEN: needs SLUICE_TLS_CERT and SLUICE_TLS_KEY/],
    [{ SLUICE_HTTPS_LISTEN: '' }, /SLUICE_HTTPS_LISTEN only, which is not set/],
    [{ SLUICE_HTTPS_LISTEN: 'localhost:443' }, /SLUICE_HTTPS_LISTEN: "localhost:443" is not a listen address/],
    [{ SLUICE_TLS_CERT: '/nowhere/at/all.pem' }, /no certificate can be read from \/nowhere\/at\/all\.pem: No such file/],
    [{ SLUICE_TLS_CERT: files.first.cert, SLUICE_TLS_KEY: files.second.key }, /key values mismatch/],
  ]) {
    const end = start(extra);
    assert.equal(end.status, 78, end.stderr);
    assert.match(end.stderr, said);
  }
});

test('drain over TLS: the request in flight is answered, then the connection closes', async () => {
  const idle = await overTls();
  const busy = await overTls();
  await new Promise((resolve) => busy.write('POST /webhooks/stripe HTTP/1.1\r\nHost: door.test\r\n', resolve));
  stack.publisher.kill('SIGTERM');
  const isDraining = () => stack.logOf(stack.publisher).includes('"drain.begin"');
  const { answers, ended } = await talk(0, [isDraining, 'Content-Length: 2\r\n\r\n{}'], { socket: busy, halfClose: false });
  assert.equal(answers[0].status >= 400, true);
  assert.equal(answers[0].headers.connection, 'close');
  assert.ok(ended);
  idle.destroy();
  assert.equal((await stack.publisher.ended).code, 0);
});

test('with a client authority only its clients come in', async () => {
  stack.publisherEnvironment.SLUICE_TLS_CLIENT_CA = files.authority.cert;
  copyFileSync(files.second.key, files.key);
  await stack.startPublisher();
  const with_ = (pair) => ({ cert: readFileSync(pair.cert), key: readFileSync(pair.key) });
  assert.equal(await deliver(await overTls(with_(files.client))), 200);
  for (const bad of [{}, with_(files.stranger)]) {
    const status = await overTls(bad).then(deliver, () => undefined); // TLS 1.3 clients learn of it with their first read
    assert.equal(status, undefined);
  }
  delete stack.publisherEnvironment.SLUICE_TLS_CLIENT_CA;
  assert.equal((await stack.terminate(stack.publisher)).code, 0);
});

const isReadyInside = async () => (await talk(0, 'GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n', { path: files.socket, expect: 1 })).answers[0]?.status === 200;

test('a Unix socket takes events, for user and group only, and is replaced after a crash', async () => {
  const tcp = stack.environment.SLUICE_HTTP_LISTEN;
  stack.environment.SLUICE_HTTP_LISTEN = `unix:${files.socket}`;
  for (let round = 0; round < 2; round++) {
    stack.spawnPublisher();
    await until('the socket answers', isReadyInside);
    assert.equal(statSync(files.socket).mode & 0o777, 0o660);
    assert.equal(await deliver(await connected(net.connect(files.socket), 'connect')), 200);
    const told = execFileSync(path.join(process.env.SLUICE_BIN, 'sluice'), ['health', 'publisher', '-o', 'json'], { env: { ...stack.environment, ...stack.publisherEnvironment }, encoding: 'utf8' });
    assert.match(told, /"health": *"ok"/);
    stack.publisher.kill(round === 0 ? 'SIGKILL' : 'SIGTERM');
    await stack.publisher.ended;
    assert.ok(existsSync(files.socket));
  }
  stack.environment.SLUICE_HTTP_LISTEN = tcp;
});

test('behind nginx as compose/nginx/sluice.conf has it, events come in over TLS and a Unix socket', { skip: spawnSync('/usr/sbin/nginx', ['-v']).error && 'nginx is not installed' }, async () => {
  const edge = await freePort();
  const dir = path.join(stack.dir, 'edge');
  mkdirSync(dir);
  const sample = readFileSync(new URL('../../compose/nginx/sluice.conf', import.meta.url), 'utf8')
    .replaceAll('/run/sluice-publisher/ingest.sock', files.socket).replace('listen 443', `listen 127.0.0.1:${edge}`)
    .replace('/etc/ssl/sluice/fullchain.pem', files.second.cert).replace('/etc/ssl/sluice/privkey.pem', files.second.key);
  writeFileSync(path.join(dir, 'nginx.conf'), `daemon off; master_process off; pid ${dir}/pid; events {} http { access_log off; client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;\n${sample}\n}`);
  const tcp = stack.environment.SLUICE_HTTP_LISTEN;
  stack.environment.SLUICE_HTTP_LISTEN = `unix:${files.socket}`;
  stack.spawnPublisher();
  stack.environment.SLUICE_HTTP_LISTEN = tcp;
  await until('the publisher is ready', isReadyInside);
  const nginx = spawn('/usr/sbin/nginx', ['-p', dir, '-c', 'nginx.conf', '-e', path.join(dir, 'error.log')], { stdio: 'ignore' });
  const over = (more) => connected(tls.connect({ ...options(), port: edge, ...more }), 'secureConnect');
  try {
    const socket = await until('nginx is there', over);
    assert.equal(await deliver(socket), 200);
    const { answers } = await talk(0, 'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', { socket: await over(), halfClose: false });
    assert.equal(answers[0].status, 404);
  } finally {
    nginx.kill('SIGTERM');
    await new Promise((resolve) => nginx.on('exit', resolve));
  }
  assert.equal((await stack.terminate(stack.publisher)).code, 0);
});

// The manager's part: a listening socket as descriptor 3, its name, and a place to send news to.
const manager = `
import os, socket, sys
listening = socket.socket(); listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listening.bind(("127.0.0.1", int(sys.argv[1]))); listening.listen(64)
os.dup2(listening.fileno(), 3); os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="ingest")
os.execv(sys.argv[2], [sys.argv[2]])
`;

test('a service manager passes the socket and hears ready, alive, reloading and stopping', async () => {
  const passed = await freePort();
  const news = path.join(stack.dir, 'news.sock');
  const heard = [];
  // Node has no Unix datagram sockets; Python listens for it.
  const listener = spawn('python3', ['-uc', 'import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint("here")\nwhile True: print(repr(s.recv(4096).decode()))', news], { stdio: ['ignore', 'pipe', 'inherit'] });
  listener.stdout.on('data', (part) => heard.push(...part.toString().trim().split('\n')));
  await until('somebody listens', () => heard.includes('here'));
  const publisher = stack.spawn('sluice-publisher', { ...stack.publisherEnvironment, NOTIFY_SOCKET: news, WATCHDOG_USEC: '100000', SLUICE_HTTP_LISTEN: '192.0.2.1:1' }, ['python3', '-c', manager, String(passed)]);
  const has = (text) => until(`the manager hears ${text}`, () => heard.some((one) => one.includes(text)));
  await has('READY=1\\nSTATUS=taking webhooks');
  await until('it is ready', async () => (await fetch(`http://127.0.0.1:${passed}/readyz`)).status === 200);
  assert.equal(await deliver(await connected(net.connect(passed, '127.0.0.1'), 'connect')), 200);
  await has('WATCHDOG=1');
  publisher.kill('SIGHUP');
  await has('RELOADING=1\\nMONOTONIC_USEC=');
  publisher.kill('SIGTERM');
  await has('STOPPING=1');
  assert.equal((await publisher.ended).code, 0);
  listener.kill();
});

test('several publishers share one address; when one goes, the others go on', async () => {
  const publishers = [];
  for (let i = 0; i < 3; i++) {
    const state = path.join(stack.dir, `shared-${i}`);
    mkdirSync(state, { mode: 0o700 });
    publishers.push(stack.spawn('sluice-publisher', { ...stack.publisherEnvironment, SLUICE_HTTP_SHARED: 'true', SLUICE_STATE_DIR: state, SLUICE_METRICS_LISTEN: '127.0.0.1:0' }));
  }
  const running = () => new Set(stack.logOf(publishers[0]).split('\n').filter((line) => line.includes('"broker.connected"')).map((line) => JSON.parse(line).instance));
  await until('all are connected', () => publishers.every((one) => [...running()].some((instance) => instance.endsWith(`/${one.pid}`))));
  const knock = () => connected(net.connect(stack.httpPort, '127.0.0.1'), 'connect').then(deliver);
  for (let i = 0; i < 40; i++) assert.equal(await knock(), 200);
  assert.equal((await stack.terminate(publishers[0])).code, 0);
  for (let i = 0; i < 40; i++) assert.equal(await knock(), 200);
  for (const one of publishers.slice(1)) assert.equal((await stack.terminate(one)).code, 0);
});

test('what was promised at any door is applied exactly once', async () => {
  assert.ok(promised.length >= 8);
  await until('all are applied', async () => Number(await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id LIKE 'evt_listener_%'")) >= promised.length);
  const rows = await stack.query('SELECT event_id FROM sluice_inbox ORDER BY 1');
  assert.deepEqual(rows.map(([id]) => id), [...promised].sort());
});
