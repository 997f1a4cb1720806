// faultproxy.test - the fault proxy does what its banner says; a scenario is worth as much as its faults.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { until } from '../integration/lib/stack.mjs';
import { FaultProxy } from './lib/faultproxy.mjs';

let echo;
let proxy;
const targets = new Set();

before(async () => {
  echo = net.createServer((socket) => {
    targets.add(socket);
    socket.on('close', () => targets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (data) => socket.write(data));
    socket.on('end', () => socket.end());
  });
  await new Promise((resolve) => echo.listen(0, '127.0.0.1', resolve));
  proxy = await FaultProxy.start(echo.address().port);
});
after(async () => {
  await proxy.stop();
  for (const socket of targets) socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
});
beforeEach(() => proxy.tell('clear'));

class Client {
  static async open() {
    const client = new Client();
    client.socket = net.connect(proxy.port, '127.0.0.1');
    client.socket.setNoDelay(true);
    client.pieces = [];
    client.end = new Promise((resolve) => {
      client.socket.on('error', (error) => resolve(error.code));
      client.socket.on('close', () => resolve('closed'));
    });
    client.socket.on('data', (data) => {
      client.pieces.push(data);
      client.wake?.();
    });
    await new Promise((resolve, reject) => {
      client.socket.once('connect', resolve);
      client.socket.once('error', reject);
    });
    return client;
  }
  get bytes() {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0);
  }
  // Milliseconds until `count` bytes have come, or undefined after limitMs: a limit, not a claim, when they are to come.
  async receive(count, limitMs = 120000) {
    const asked = performance.now();
    while (this.bytes < count) {
      const left = limitMs - (performance.now() - asked);
      if (left <= 0) return undefined;
      await new Promise((resolve) => {
        this.wake = resolve;
        setTimeout(resolve, left);
      });
    }
    return performance.now() - asked;
  }
  close() {
    this.socket.destroy();
  }
}

test('without a fault, bytes and the end go through', async () => {
  const client = await Client.open();
  const data = Buffer.alloc(1 << 20, 'abcdefgh');
  client.socket.end(data);
  assert.ok((await client.receive(data.length)) !== undefined);
  assert.ok(Buffer.concat(client.pieces).equals(data));
  assert.equal(await client.end, 'closed');
});

test('latency delays both ways and keeps order', async () => {
  await proxy.tell('latency 60 20');
  const client = await Client.open();
  for (let i = 0; i < 20; i += 1) {
    client.socket.write(`${String(i).padStart(3, '0')};`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const asked = performance.now();
  client.socket.write('020;');
  await client.receive(84);
  const ms = performance.now() - asked;
  assert.ok(ms >= 80, `${ms} ms`);
  assert.equal(Buffer.concat(client.pieces).toString(), Array.from({ length: 21 }, (_, i) => `${String(i).padStart(3, '0')};`).join(''));
  client.close();
});

test('bandwidth is a ceiling, and the sender feels it', async () => {
  await proxy.tell('bandwidth 100000');
  const client = await Client.open();
  const asked = performance.now();
  client.socket.write(Buffer.alloc(50000));
  assert.ok((await client.receive(50000)) !== undefined);
  const ms = performance.now() - asked;
  assert.ok(ms > 400, `${ms} ms`);
  client.close();
});

test('slicer cuts into pieces', async () => {
  await proxy.tell('slicer 1 1');
  const client = await Client.open();
  const before = await proxy.stats();
  client.socket.write('0123456789');
  assert.ok((await client.receive(10)) !== undefined);
  assert.equal(Buffer.concat(client.pieces).toString(), '0123456789');
  assert.equal((await proxy.stats()).down_pieces - before.down_pieces, 10); // a client that is slow finds several at once
  client.close();
});

test('limit-up closes after so many bytes', async () => {
  await proxy.tell('limit-up 10');
  const client = await Client.open();
  client.socket.write('0123456789abcdef');
  assert.equal(await client.end, 'closed');
});

test('limit-down closes after so many bytes have come back', async () => {
  await proxy.tell('limit-down 4');
  const client = await Client.open();
  client.socket.write('0123456789');
  assert.equal(await client.end, 'closed');
  assert.equal(client.bytes, 4);
});

test('blackhole swallows; a connection that lost bytes is reset when it ends', async () => {
  const client = await Client.open();
  const before = await proxy.stats();
  const swallowed = (bytes) => until(`${bytes} bytes are swallowed`, async () => (await proxy.stats()).swallowed_bytes - before.swallowed_bytes === bytes);
  await proxy.tell('blackhole');
  client.socket.write('x');
  await swallowed(1);
  assert.equal(await client.receive(1, 200), undefined);
  const late = await Client.open();
  late.socket.write('y');
  await swallowed(2);
  assert.equal(await late.receive(1, 100), undefined);
  await proxy.tell('clear');
  assert.equal(await client.end, 'ECONNRESET');
  assert.equal(await late.end, 'ECONNRESET');
});

test('drop-down delivers to the target and keeps its answer', async () => {
  const client = await Client.open();
  const before = await proxy.stats();
  await proxy.tell('drop-down');
  client.socket.write('hello');
  await until('the answer is swallowed', async () => (await proxy.stats()).swallowed_bytes - before.swallowed_bytes === 5);
  assert.equal(await client.receive(1, 200), undefined);
  const now = await proxy.stats();
  assert.equal(now.up_bytes - before.up_bytes, 5);
  assert.equal(now.down_bytes, before.down_bytes);
  client.close();
});

test('forget swallows on what is open, and new connections work', async () => {
  const client = await Client.open();
  await proxy.tell('forget');
  client.socket.write('x');
  const late = await Client.open();
  late.socket.write('y');
  assert.ok((await late.receive(1)) !== undefined);
  assert.equal(await client.receive(1, 200), undefined);
  late.close();
  client.close();
});

test('freeze keeps everything until it is cleared', async () => {
  const client = await Client.open();
  await proxy.tell('freeze');
  client.socket.write('still here');
  assert.equal(await client.receive(1, 200), undefined);
  await proxy.tell('clear');
  assert.ok((await client.receive(10)) !== undefined);
  client.close();
});

test('reset ends what is open; reset-every also what comes', async () => {
  const client = await Client.open();
  await proxy.tell('reset');
  assert.equal(await client.end, 'ECONNRESET');
  await proxy.tell('reset-every 50');
  // On a slow machine it is reset before it is seen to be open.
  assert.equal(await Client.open().then((late) => late.end, ({ code }) => code), 'ECONNRESET');
});

test('down refuses, up accepts at the same port', async () => {
  await proxy.tell('down');
  await assert.rejects(Client.open(), { code: 'ECONNREFUSED' });
  await proxy.tell('up');
  const client = await Client.open();
  client.socket.write('back');
  assert.ok((await client.receive(4)) !== undefined);
  client.close();
});

test('a mistake in a command is answered, not obeyed', async () => {
  await assert.rejects(proxy.tell('latency'), /wrong number/);
  await assert.rejects(proxy.tell('latency x'), /not a number/);
  await assert.rejects(proxy.tell('explode'), /no such command/);
});
