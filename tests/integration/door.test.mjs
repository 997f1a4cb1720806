// door - hostile and careless clients at the public port, with a ledger: what was answered 200 is applied once, and nothing else is anywhere.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { test, before, after } from 'node:test';
import { corpus } from './lib/http_corpus.mjs';
import { talk } from './lib/raw.mjs';
import { Sender, signature } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

let stack;
let sender;
const promised = new Set(); // ids answered 200
const unknown = new Set(); // sent whole, answer unseen: may be there or not
let events = 0;

const event = (extra = {}) => ({ id: `evt_door_${++events}`, object: 'event', type: 'x.door', created: Math.floor(Date.now() / 1000), ...extra });
const head = (fields, path = '/webhooks/stripe') => `POST ${path} HTTP/1.1\r\nHost: door.test\r\n${fields}\r\n`;
const signed = (body, more = '') => head(`Stripe-Signature: ${signature(stack.secret, body)}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}`);

async function good() {
  const one = event();
  const answer = await sender.signed(JSON.stringify(one));
  assert.equal(answer.status, 200);
  promised.add(one.id);
}

// Keeps good events coming while something bad is going on; all of them must be answered 200.
async function whileOthersAreServed(bad) {
  let isOver = false;
  let served = 0;
  const others = (async () => {
    while (!isOver) {
      await good();
      served += 1;
    }
  })();
  try {
    return await bad();
  } finally {
    isOver = true;
    await others;
    assert.ok(served > 0);
  }
}

before(async () => {
  stack = await Stack.start('door');
  sender = new Sender(stack, { connections: 4 });
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

// E2, E3, E17: lengths that lie, ambiguous framing, odd request lines.
for (const row of corpus) {
  test(`${row.name}: ${row.statuses.join(', ') || 'no answer'}`, async () => {
    const { answers, ended } = await talk(stack.httpPort, row.bytes);
    assert.deepEqual(answers.map((answer) => answer.status), row.statuses);
    assert.ok(ended, 'the connection is closed in order');
    for (const answer of answers.filter(({ status }) => status !== 404)) {
      assert.equal(answer.headers.connection, 'close');
      assert.match(answer.body, /^\{"error":"[A-Z][A-Za-z ]+"\}$/);
    }
  });
}

test('a refused head closes the connection although the client would go on', async () => {
  const { answers, ended } = await talk(stack.httpPort, head('Content-Length: 5\r\nContent-Length: 5\r\n'), { halfClose: false });
  assert.deepEqual(answers.map((answer) => answer.status), [400]);
  assert.ok(ended);
});

// E1.
test('slow heads and slow bodies get a 408 while others are served', async () => {
  const drip = (text, ms) => [...text].flatMap((byte) => [byte, ms]);
  const body = JSON.stringify(event());
  const slow = {
    'a head, byte by byte': drip('GET /health HTTP/1.1\r\nHost: door.test\r\n', 250),
    'a head without an end': ['GET /health HTTP/1.1\r\nHost: door.test\r\n'],
    'a counted body, a byte a second': [signed(body), ...drip(body.slice(0, 20), 1000)],
    'a chunked body, a byte a second': [head('Transfer-Encoding: chunked\r\n'), ...drip('100\r\n' + 'x'.repeat(15), 1000)],
    'a body that never comes': [signed(body)],
  };
  await whileOthersAreServed(() =>
    Promise.all(Object.entries(slow).map(async ([name, parts]) => {
      const { answers, ended } = await talk(stack.httpPort, parts, { halfClose: false });
      assert.deepEqual(answers.map((answer) => answer.status), [408], name);
      assert.ok(ended, name);
    })));
});

test('a client that does not read its answers does not stop the others', async () => {
  const deaf = net.connect(stack.httpPort, '127.0.0.1');
  deaf.on('error', () => {});
  deaf.pause();
  await whileOthersAreServed(async () => {
    const flood = Buffer.from('GET /health HTTP/1.1\r\nHost: door.test\r\n\r\n'.repeat(5000));
    await new Promise((resolve) => {
      deaf.write(flood, resolve);
      deaf.once('close', resolve);
      setTimeout(resolve, 2000);
    });
  });
  deaf.destroy();
});

// E2.
test('a sender of far too much can read its 413', async () => {
  const { answers, ended } = await talk(stack.httpPort, [head('Content-Length: 6000000\r\n'), randomBytes(6000000)], { halfClose: false });
  assert.deepEqual(answers.map((answer) => answer.status), [413]);
  assert.ok(ended);
});

// E4.
test('a chunked upload is verified and kept as the bytes that the chunks carry', async () => {
  const one = event({ text: 'x'.repeat(3000) });
  const body = Buffer.from(JSON.stringify(one));
  const parts = [head(`Stripe-Signature: ${signature(stack.secret, body.toString())}\r\nTransfer-Encoding: chunked\r\n`)];
  for (let at = 0; at < body.length; at += 97) {
    const part = body.subarray(at, at + 97);
    parts.push(`${part.length.toString(16)};note=x\r\n`, part, '\r\n');
  }
  parts.push('0\r\nX-Trailer: ignored\r\n\r\n');
  const { answers } = await talk(stack.httpPort, parts, { expect: 1 });
  assert.equal(answers[0].status, 200);
  promised.add(one.id);
  const kept = await until('the event is applied', () => stack.value(`SELECT convert_from(body, 'UTF8') FROM sluice_inbox WHERE event_id = '${one.id}'`));
  assert.equal(kept, body.toString());
});

// E17.
test('pipelined events are answered in order and all applied', async () => {
  const bodies = Array.from({ length: 20 }, () => event()).map((one) => [one.id, JSON.stringify(one)]);
  const { answers } = await talk(stack.httpPort, bodies.map(([, body]) => signed(body) + body).join(''), { expect: bodies.length });
  assert.deepEqual(answers.map((answer) => JSON.parse(answer.body).id), bodies.map(([id]) => id));
  for (const [id] of bodies) promised.add(id);
});

test('an event over HTTP/1.0 is taken and the connection closed', async () => {
  const one = event();
  const body = JSON.stringify(one);
  const { answers, ended } = await talk(stack.httpPort, signed(body).replace('HTTP/1.1', 'HTTP/1.0') + body, { halfClose: false });
  assert.equal(answers[0].status, 200);
  assert.ok(ended);
  promised.add(one.id);
});

test('who expects 100-continue is told to go on, or that it need not', async () => {
  const one = event();
  const body = JSON.stringify(one);
  const told = await talk(stack.httpPort, [signed(body, 'Expect: 100-continue\r\n'), (answers) => answers.length > 0, body], { expect: 1 });
  assert.deepEqual(told.answers.map((answer) => answer.status), [100, 200]);
  promised.add(one.id);
  const refused = await talk(stack.httpPort, head('Content-Length: 1048577\r\nExpect: 100-continue\r\n'), { halfClose: false });
  assert.deepEqual(refused.answers.map((answer) => answer.status), [413]);
});

for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH']) {
  test(`${method} on a webhook: 405 with Allow`, async () => {
    const { answers, rest } = await talk(stack.httpPort, `${method} /webhooks/stripe HTTP/1.1\r\nHost: door.test\r\nX-Secret: echo\r\n\r\n`, { noBody: method === 'HEAD' });
    assert.equal(answers[0].status, 405);
    assert.equal(answers[0].headers.allow, 'POST');
    assert.ok(!answers[0].body.includes('echo'));
    assert.equal(rest.length, 0);
  });
}

test('HEAD on health says what GET would, without a body', async () => {
  const { answers, rest } = await talk(stack.httpPort, 'HEAD /health HTTP/1.1\r\nHost: door.test\r\n\r\n', { noBody: true });
  assert.equal(answers[0].status, 200);
  assert.ok(Number(answers[0].headers['content-length']) > 50);
  assert.equal(rest.length, 0);
});

for (const path of ['/webhooks/stripe/', '//webhooks/stripe', '/webhooks//stripe', '/webhooks/./stripe', '/webhooks/%73tripe', '/x/../webhooks/stripe', '/WEBHOOKS/stripe', '/webhooks/stripe;a', '/webhooks/']) {
  test(`${path} is no webhook: 404`, async () => {
    const body = JSON.stringify(event());
    const { answers } = await talk(stack.httpPort, signed(body).replace('/webhooks/stripe', path) + body);
    assert.equal(answers[0].status, 404);
  });
}

// E14.
test('what a client puts into names, values and types cannot write a log line', async () => {
  const one = event({ type: 'x\r\n{"level":"fatal"}\u001b[31m\u2028' });
  const body = JSON.stringify(one);
  const { answers } = await talk(stack.httpPort, signed(body, 'User-Agent: a %0d%0a b\r\nX-Forwarded-For: 1.2.3.4\r\n') + body, { expect: 1 });
  assert.equal(answers[0].status, 200);
  promised.add(one.id);
  await talk(stack.httpPort, signed(body).replace('/webhooks/stripe', '/webhooks/%0d%0astripe%1b[31m') + body);
  await talk(stack.httpPort, head('Stripe-Signature: t=1,v1=\x80\xff\r\nContent-Length: 2\r\n') + 'xx');
  for (const line of stack.logOf(stack.publisher).trim().split('\n')) {
    assert.notEqual(JSON.parse(line).level, 'fatal');
    assert.ok(!/[\x00-\x1f\x7f]/.test(line), line);
  }
});

// E18.
test('an event whose sender hangs up before the answer is applied all the same', async () => {
  const one = event();
  const body = JSON.stringify(one);
  const socket = net.connect(stack.httpPort, '127.0.0.1');
  await new Promise((resolve) => socket.on('connect', resolve));
  await new Promise((resolve) => socket.write(signed(body) + body, resolve));
  socket.resetAndDestroy();
  unknown.add(one.id);
  await until('the event is applied', async () => (await stack.value(`SELECT count(*) FROM sluice_inbox WHERE event_id = '${one.id}'`)) === '1');
  // The sender does not know, and sends it again: answered, applied once.
  assert.equal((await sender.signed(body)).status, 200);
  promised.add(one.id);
});

test('an event that was cut short is not there', async () => {
  const one = event();
  const body = JSON.stringify(one);
  const { answers } = await talk(stack.httpPort, signed(body) + body.slice(0, -1));
  assert.deepEqual(answers, []);
});

// E13.
test('out of descriptors: open requests finish, new ones follow when there is room', async () => {
  const few = await Stack.start('door_few', { withConsumer: false, withPublisher: false });
  few.spawn = limitedSpawn(few, 80);
  await few.startPublisher();
  const one = new Sender(few, { connections: 1 });
  assert.equal((await one.signed(JSON.stringify(event()))).status, 200); // also: the sanitizer looks at new types through a pipe, and takes its failure for theirs
  const idle = [];
  for (let i = 0; i < 120; i++) {
    const socket = net.connect(few.httpPort, '127.0.0.1');
    socket.on('error', () => {});
    idle.push(socket);
  }
  one.agent.destroy();
  const answer = await until('a place at the door', async () => {
    const got = await one.signed(JSON.stringify(event()));
    return got.status === 200 && got;
  });
  assert.equal(answer.status, 200);
  for (const socket of idle) socket.destroy();
  await until('the door is free again', async () => (await one.signed(JSON.stringify(event()))).status === 200);
  one.close();
  await few.stop();
});

// The program under a lower limit of descriptors.
function limitedSpawn(world, descriptors) {
  const spawn = world.spawn.bind(world);
  return (program, extra) => spawn(program, extra, ['prlimit', `--nofile=${descriptors}:${descriptors}`]);
}

test('the ledger: what was promised is applied exactly once, and nothing else', async () => {
  await until('all that was promised is applied', async () => Number(await stack.value("SELECT count(*) FROM sluice_inbox WHERE event_id LIKE 'evt_door_%'")) >= promised.size);
  const rows = await stack.query('SELECT event_id, count(*) FROM sluice_inbox GROUP BY 1');
  const lost = [...promised].filter((id) => !rows.some(([found]) => found === id));
  const twice = rows.filter(([, times]) => times !== '1');
  const unexpected = rows.filter(([id]) => !promised.has(id) && !unknown.has(id));
  assert.deepEqual({ lost, twice, unexpected }, { lost: [], twice: [], unexpected: [] });
  assert.ok(promised.size > 30);
});

test('the figures: every answer is counted and timed under one of few routes', async () => {
  const text = await (await fetch(`http://127.0.0.1:${stack.metricsPort}/metrics`)).text();
  const rows = [...text.matchAll(/^sluice_http_requests_total\{route="(\w+)",code="(\d+)"\} (\d+)$/gm)].map(([, route, code, count]) => ({ route, code, count: Number(count) }));
  assert.deepEqual([...new Set(rows.map((row) => row.route))].sort(), ['health', 'other', 'unread', 'webhook']);
  const webhooks = rows.filter((row) => row.route === 'webhook');
  assert.ok(webhooks.find((row) => row.code === '200').count >= promised.size);
  assert.equal(webhooks.find((row) => row.code === '405').count, 7);
  assert.ok(rows.find((row) => row.route === 'unread' && row.code === '408').count >= 5);
  const timed = Number(/^sluice_http_request_duration_seconds_count\{route="webhook"\} (\d+)$/m.exec(text)[1]);
  assert.equal(timed, webhooks.reduce((sum, row) => sum + row.count, 0));
});
