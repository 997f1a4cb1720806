// reload - SIGHUP of a consumer under load: secrets, addresses and the file of subsystems are read again, and no delivery is dropped, returned or applied twice.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { Producer } from './lib/producer.mjs';
import { Stack, until } from './lib/stack.mjs';

const secrets = [1, 2].map(() => `whsec_${randomBytes(32).toString('base64')}`);
const section = (more) => `
[orders]
handler = http
bindings = shop.order.#
url = $ORDERS_URL
secret = ORDERS_SECRET
${more}
`;
let stack;
let producer;
let target;
let answers = null; // an array: the target keeps its answers in it
const posts = []; // { id, secret: index of the one that signed it, path }

before(async () => {
  target = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      const secret = secrets.findIndex((one) => {
        try { return new Webhook(one).verify(body, request.headers); } catch { return false; }
      });
      posts.push({ id: request.headers['webhook-id'], secret, path: request.url });
      const answer = () => response.writeHead(204).end();
      if (answers === null) answer();
      else answers.push(answer);
    });
  });
  await new Promise((resolve) => target.listen(0, '127.0.0.1', resolve));
  stack = await Stack.start('reload', { subsystems: section('workers = 2\ntimeout = 2m'), consumer: { SLUICE_DRAIN_TIMEOUT: '2m' }, withPublisher: false, withConsumer: false });
  write('url', `http://127.0.0.1:${target.address().port}/old`);
  write('secret', secrets[0]);
  write('database', stack.databaseUrl);
  write('amqp', stack.amqpUrl);
  delete stack.environment.DATABASE_URL;
  delete stack.environment.AMQP_URL;
  Object.assign(stack.consumerEnvironment, { ORDERS_URL_FILE: file('url'), ORDERS_SECRET_FILE: file('secret'), DATABASE_URL_FILE: file('database'), AMQP_URL_FILE: file('amqp') });
  await stack.startConsumer();
  producer = await Producer.connect(stack);
});
after(async () => {
  await producer?.close();
  await stack?.stop();
  target?.close();
});

const file = (name) => path.join(stack.dir, name);
function write(name, text) { // as a secret store does: all of it or nothing
  writeFileSync(`${file(name)}.new`, text, { mode: 0o600 });
  renameSync(`${file(name)}.new`, file(name));
}

// The broker, of which links that publish hear nothing for as long as isMute: a client that asks for confirms gets no answer.
async function slowBroker() {
  const { hostname, port } = new URL(stack.amqpUrl);
  const confirmSelect = Buffer.from([0, 85, 0, 10]);
  const proxy = { isMute: true, muted: new Set(), sockets: new Set() };
  const server = net.createServer((client) => {
    const broker = net.connect(Number(port), hostname);
    let tail = Buffer.alloc(0);
    client.on('data', (part) => {
      tail = Buffer.concat([tail, part]);
      if (proxy.isMute && tail.includes(confirmSelect)) proxy.muted.add(broker.pause());
      tail = tail.subarray(-3);
      broker.write(part);
    });
    broker.on('data', (part) => client.write(part));
    for (const [one, other] of [[client, broker], [broker, client]]) {
      proxy.sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        proxy.sockets.delete(one);
        proxy.muted.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(stack.amqpUrl);
  url.port = server.address().port;
  proxy.url = url.toString();
  proxy.speak = () => {
    proxy.isMute = false;
    for (const one of proxy.muted) one.resume();
  };
  proxy.close = () => {
    server.close();
    for (const one of proxy.sockets) one.destroy();
  };
  return proxy;
}
const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);
async function reload(event = 'process.reloaded') {
  const before = stack.linesOf(stack.consumer, event).length;
  stack.consumer.kill('SIGHUP');
  await until(event, () => stack.linesOf(stack.consumer, event).length > before);
  return stack.linesOf(stack.consumer, event).at(-1);
}

test('a new secret, a new URL and other addresses under load: each event is POSTed once, none is returned, none is lost', async () => {
  let sent = 0;
  let isOver = false;
  const sending = (async () => {
    for (; !isOver; sent += 1) await producer.publish({ id: `order_${sent}`, type: 'order.paid' });
  })();
  await until('it works', () => posts.length > 50);
  write('secret', secrets[1]);
  write('url', `http://127.0.0.1:${target.address().port}/new`);
  await reload();
  await until('the new secret signs to the new place', () => posts.some((post) => post.secret === 1 && post.path === '/new'));
  for (let n = 0; n < 5; n += 1) await reload();
  // A database role of its own, as after a rotation of the password.
  await stack.query(`CREATE ROLE "${stack.name}_rotated" LOGIN SUPERUSER PASSWORD 'rotated'`);
  const url = new URL(stack.databaseUrl);
  url.username = `${stack.name}_rotated`;
  url.password = 'rotated';
  write('database', url.toString());
  await reload();
  await until('the new role is used, the old one is not', async () => (await count(`pg_stat_activity WHERE usename = '${stack.name}_rotated'`)) > 0
    && (await count(`pg_stat_activity WHERE datname = '${stack.name}' AND usename <> '${stack.name}_rotated' AND application_name LIKE 'sluice-consumer%'`)) === 0);
  isOver = true;
  await sending;
  await until('all are applied', async () => (await count('sluice_inbox')) === sent, 60000);
  assert.equal(posts.length, sent);
  assert.equal(new Set(posts.map((post) => post.id)).size, sent);
  assert.equal(posts.filter((post) => post.secret === -1).length, 0);
  assert.deepEqual(posts.filter((post) => post.path === '/old' && post.secret === 1), []);
  assert.equal(await stack.metric('sluice_consumer_returned_total{subsystem="orders"}', stack.consumerPort), 0);
  assert.equal(await count('sluice_attempt'), 0);
  await stack.query(`REASSIGN OWNED BY "${stack.name}_rotated" TO CURRENT_USER`);
  write('database', stack.databaseUrl);
  await reload();
  await until('nobody uses it', async () => (await count(`pg_stat_activity WHERE usename = '${stack.name}_rotated'`)) === 0);
  await stack.query(`DROP ROLE "${stack.name}_rotated"`);
});

test('a second SIGHUP while the links that publish are not up yet: what is in hand is finished, none is returned', async () => {
  const proxy = await slowBroker();
  const took = posts.length;
  try {
    write('amqp', proxy.url);
    answers = [];
    await reload();
    for (let n = 0; n < 40; n += 1) await producer.publish({ id: `early_${n}`, type: 'order.paid' });
    await until('they have them in hand', async () => answers.length > 0 && (await stack.metric('sluice_consumer_inflight{subsystem="orders"}', stack.consumerPort)) === 40);
    await until('they are not up', () => proxy.muted.size >= 2);
    write('amqp', stack.amqpUrl);
    const reloading = reload();
    let late = 0;
    await until('they take no more', async () => {
      await producer.publish({ id: `late_${late}`, type: 'order.paid' });
      late += 1;
      return (await producer.channel.checkQueue('sluice.orders')).messageCount > 0;
    });
    for (const answer of answers.splice(0)) answer();
    answers = null;
    await reloading;
    await until('all are applied', async () => (await count("sluice_inbox WHERE event_id ~ '^(early|late)_'")) === 40 + late);
    assert.equal(await stack.metric('sluice_consumer_returned_total{subsystem="orders"}', stack.consumerPort), 0);
    assert.equal(posts.length, took + 40 + late);
  } finally {
    for (const answer of answers ?? []) answer();
    answers = null;
    proxy.close();
  }
});

test('a mistake changes nothing and is said; a changed section is in force', async () => {
  writeFileSync(stack.environment.SLUICE_SUBSYSTEMS, section('workerz = 3'));
  const failed = await reload('process.reload_failed');
  assert.equal(failed.mistakes, 1);
  assert.match(failed.mistake_1, /workerz.*did you mean workers/);
  await producer.publish({ id: 'after_mistake', type: 'order.paid' });
  await until('it goes on', async () => (await count("sluice_inbox WHERE event_id = 'after_mistake'")) === 1);
  writeFileSync(stack.environment.SLUICE_SUBSYSTEMS, section('workers = 3'));
  assert.equal((await reload()).workers, 3);
  await producer.publish({ id: 'after_change', type: 'order.paid' });
  await until('it goes on with three workers', async () => (await count("sluice_inbox WHERE event_id = 'after_change'")) === 1);
});
