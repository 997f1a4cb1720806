// door_siege - a long run: ten thousand idle connections, and slow heads, slow bodies and slow readers by slowhttptest, while events go on coming.
//
// What must hold is asserted: every event is answered 200 and applied once, and the idle connections stay. How much slower the others get is
// printed, not asserted: figures belong to a machine. Takes the release build.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test, before, after } from 'node:test';
import { talk } from './lib/raw.mjs';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const RATE = 200; // events a second
const SECONDS = 15;
const IDLE = Number(process.env.SLUICE_TEST_IDLE ?? 10000);

let stack;
let sender;
let events = 0;
const promised = [];
const figures = [];

before(async () => {
  stack = await Stack.start('siege', { publisher: { SLUICE_HTTP_CONNECTIONS_MAX: String(IDLE + 4000) } });
  sender = new Sender(stack, { connections: 32 });
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

// Events at a fixed rate, whatever the answers do; their latencies.
async function measure(name) {
  const taken = [];
  const pending = [];
  const start = performance.now();
  for (let i = 0; i < RATE * SECONDS; i++) {
    const due = start + (i * 1000) / RATE;
    while (performance.now() < due) await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
    const one = { id: `evt_siege_${++events}`, object: 'event', type: 'x.siege', created: Math.floor(Date.now() / 1000), pad: 'x'.repeat(3000) };
    pending.push((async () => {
      const sent = performance.now();
      const answer = await sender.signed(JSON.stringify(one));
      taken.push(performance.now() - sent);
      if (answer.status === 200) promised.push(one.id);
      return answer.status;
    })());
  }
  const statuses = await Promise.all(pending);
  assert.deepEqual([...new Set(statuses)], [200], name);
  taken.sort((a, b) => a - b);
  const figure = { name, p50: quantile(taken, 0.5), p99: quantile(taken, 0.99) };
  figures.push(figure);
  return figure;
}

// slowhttptest against `where`, for the time of one measurement and a little more.
async function besieged(name, args, where = '/webhooks/stripe') {
  const attack = spawn('slowhttptest', [...args, '-c', '1000', '-r', '500', '-l', String(SECONDS + 5), '-x', '24', '-p', '3', '-u', stack.url + where], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  attack.stdout.on('data', (part) => { said += part; });
  attack.stderr.on('data', (part) => { said += part; });
  const ended = new Promise((resolve) => attack.on('exit', resolve));
  await until('the siege has begun', () => stack.metric('sluice_http_connections').then((count) => count > 200));
  await measure(name);
  attack.kill('SIGINT');
  await ended;
  return said;
}

test('ten thousand idle connections are held while events go on', async () => {
  const limit = Number(spawnSync('sh', ['-c', 'ulimit -n']).stdout.toString());
  const count = Math.min(IDLE, limit - 500);
  await measure('nobody else');
  const idle = [];
  let closed = 0;
  while (idle.length < count) {
    await Promise.all(Array.from({ length: Math.min(200, count - idle.length) }, () => new Promise((resolve, reject) => {
      const socket = net.connect(stack.httpPort, '127.0.0.1', resolve);
      socket.on('error', reject);
      socket.on('close', () => { closed += 1; });
      idle.push(socket);
    })));
  }
  await until('all of them are in', async () => (await stack.metric('sluice_http_connections')) >= count);
  await measure(`${count} idle connections`);
  assert.equal(closed, 0, 'none was turned away');
  const rss = Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${stack.publisher.pid}/status`, 'utf8'))[1]);
  console.log(`# ${count} idle connections held; publisher RssAnon ${(rss / 1024).toFixed(1)} MiB`);
  // One of them wakes up and is served.
  const { answers } = await talk(0, 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n', { socket: idle[0], expect: 1, halfClose: false });
  assert.equal(answers[0].status, 200);
  for (const socket of idle) socket.destroy();
});

const attacks = [
  ['slow heads', ['-H', '-i', '1']],
  ['slow bodies', ['-B', '-i', '1', '-s', '8192']],
  ['slow readers', ['-X', '-w', '1', '-y', '32', '-n', '1', '-z', '16', '-k', '5'], '/health'],
];
const has = spawnSync('slowhttptest', ['-h']).error === undefined;
for (const [name, args, where] of attacks) {
  test(`events go on under ${name}`, { skip: !has && 'slowhttptest is not installed (compose/packages-long.txt)' }, async () => {
    await besieged(name, args, where);
    await until('they are gone', async () => (await stack.metric('sluice_http_connections')) < 200, 60000);
  });
}

test('what was promised is applied exactly once', async () => {
  await until('all are applied', async () => Number(await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id LIKE 'evt_siege_%'")) >= promised.length, 60000);
  const [[rows, ids]] = await stack.query("SELECT count(*), count(DISTINCT event_id) FROM sluice_inbox WHERE event_id LIKE 'evt_siege_%'");
  assert.equal(Number(rows), promised.length);
  assert.equal(Number(ids), promised.length);
  for (const { name, p50, p99 } of figures) {
    console.log(`# ${name}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms (${(p99 / figures[0].p99).toFixed(2)} of normal)`);
  }
});
