// A13 - something answers at the broker's address that is no broker of ours: a web server, AMQP of another version, and one that says nothing.
// Expected: each is named in the log; back-off; no crash, no hot loop.
import net from 'node:net';
import { scenario } from './lib/scenario.mjs';

const LOOK_MS = 5000;
const strangers = [
  ['HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
  ['AMQP 1.0', (socket) => socket.end(Buffer.from('AMQP\x00\x01\x00\x00', 'latin1'))],
  ['noise', (socket) => socket.end(Buffer.from([...Array(64).keys()].map((i) => (i * 37) % 256)))],
  ['nothing', () => {}],
];

await scenario('A13', 'no broker answers, but something does', { proxy: true }, async (world) => {
  let say = strangers[0][1];
  let connections = 0;
  const server = net.createServer((socket) => {
    connections += 1;
    socket.on('error', () => {});
    say(socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  world.cleanup(async () => server.close());
  await world.warm();
  await world.fault('a stranger', async () => {
    await world.proxy.tell(`target ${server.address().port}`);
    await world.proxy.tell('reset');
  });
  const began = Date.now();
  for (const [name, speak] of world.isLong ? strangers : strangers.slice(0, 2)) {
    say = speak;
    const before = connections;
    await world.until(`a connection to ${name} has failed`, () => connections > before && world.log('broker.lost').length > connections, 45000);
    const last = world.log('broker.lost').at(-1);
    world.note(`${name}: ${last.error_code}, ${last.error}`);
    world.check(['amqp.protocol', 'amqp.closed', 'amqp.unreachable'].includes(last.error_code), `${name} is called ${last.error_code}`);
  }
  await world.hold(Math.max(0, LOOK_MS - (Date.now() - began))); // the first pauses may be short: jitter goes down to nothing
  world.check(connections / ((Date.now() - began) / 1000) < 5, `${connections} connections: a hot loop`);
  await world.heal(async () => {
    await world.proxy.tell(`target ${world.stack.servers.STACK_AMQP_PORT}`);
    await world.proxy.tell('reset'); // of one that says nothing
  });
});
