// doctor_broker - `sluice doctor broker` names the first layer that fails, each fault being real: a name nobody has, a closed port, somebody else behind it,
// TLS where there is none, a wrong password, no virtual host, no exchange, a disk alarm. When all is well nothing stays behind.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { freePort, Stack, until } from './lib/stack.mjs';
import { servers } from './lib/servers.mjs';
import { Papers, TlsFront } from '../outage/lib/tls.mjs';

let stack;
let mute; // accepts and says nothing that is AMQP

before(async () => {
  stack = await Stack.start('doctor_broker', { withPublisher: false, withConsumer: false });
  mute = net.createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise((resolve) => mute.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  mute?.close();
  await stack?.stop();
});

// {status, layers: name -> {verdict, detail, do}, failing}
const doctor = (change, environment = {}) => new Promise((resolve) => {
  const url = new URL(stack.amqpUrl);
  change?.(url);
  const env = { ...stack.environment, RABBITMQ_API_URL: stack.servers.RABBITMQ_API_URL, AMQP_URL: url.toString().replace(/^http/, 'amqp'), ...environment };
  execFile(path.join(process.env.SLUICE_BIN, 'sluice'), ['doctor', 'broker', '-o', 'json'], { env }, (error, stdout, stderr) => {
    assert.ok(stdout, stderr);
    const rows = JSON.parse(stdout);
    resolve({ status: error?.code ?? 0, stdout, layers: Object.fromEntries(rows.map((row) => [row.layer, row])), failing: rows.filter((row) => row.verdict === 'FAILS').map((row) => row.layer) });
  });
});
const order = ['dns', 'tcp', 'tls', 'amqp', 'login', 'vhost', 'exchange', 'publish'];

test('all is well, and nothing was left behind', async () => {
  const { status, layers, failing } = await doctor();
  assert.deepEqual([status, failing], [0, []]);
  for (const layer of order) assert.equal(layers[layer].verdict, layer === 'tls' ? 'not used' : 'ok');
  const node = Object.keys(layers).find((name) => name.startsWith('node '));
  assert.match(layers[node].detail, /^disk \d+ MiB free \(alarm below \d+\), memory \d+ of \d+ MiB$/);
  const messages = async () => (await stack.api('GET', `/api/queues/${stack.name}`)).reduce((sum, queue) => sum + (queue.messages ?? 0), 0);
  assert.equal(await messages(), 0);
});

const faults = [
  ['dns', /cannot resolve no\.such\.host/, (url) => { url.hostname = 'no.such.host.invalid'; }],
  ['tcp', /refused/, async (url) => { url.port = await freePort(); }],
  ['tls', /TLS/, (url) => { url.href = url.href.replace(/^amqp:/, 'amqps:'); }],
  ['amqp', /does not speak AMQP|ended the connection|greeting|frame of unknown type/, (url) => { url.port = mute.address().port; }],
  ['login', /ACCESS_REFUSED/, (url) => { url.password = 'wrong'; }],
  ['vhost', /vhost nowhere not found/, (url) => { url.pathname = '/nowhere'; }],
];
for (const [layer, why, change] of faults) {
  test(`${layer} is the first that fails`, async () => {
    const url = new URL(stack.amqpUrl);
    await change(url);
    const { status, layers, failing, stdout } = await doctor(undefined, { AMQP_URL: url.href });
    assert.deepEqual([status, failing], [1, [layer]]);
    assert.match(layers[layer].detail, why);
    assert.ok(layers[layer].do.length > 20);
    for (const after of order.slice(order.indexOf(layer) + 1)) assert.ok(['not reached', 'not used'].includes(layers[after].verdict), after);
    assert.ok(!stdout.includes(new URL(stack.amqpUrl).password), 'no password is shown');
  });
}

test('over TLS: our authority lets us in; another one, another name and a certificate whose day is over do not, and are named', async () => {
  const papers = new Papers(stack.dir);
  const front = await TlsFront.start(Number(new URL(stack.amqpUrl).port), papers.certificate('broker', 'DNS:localhost'));
  const url = new URL(stack.amqpUrl);
  Object.assign(url, { hostname: 'localhost', port: front.port });
  const through = (authority) => doctor(undefined, { AMQP_URL: url.href.replace(/^amqp:/, 'amqps:'), SLUICE_AMQP_CA: papers.authority(authority) });
  const refused = ({ status, layers, failing }, why) => {
    assert.deepEqual([status, failing], [1, ['tls']]);
    assert.match(layers.tls.detail, why);
    assert.match(layers.tls.do, /its authority in SLUICE_AMQP_CA/);
    assert.deepEqual([layers.dns.verdict, layers.tcp.verdict, layers.amqp.verdict], ['ok', 'ok', 'not reached']);
  };
  try {
    const { status, layers } = await through('authority');
    assert.deepEqual([status, layers.tls.verdict, layers.publish.verdict], [0, 'ok', 'ok']);
    refused(await through('stranger'), /TLS.*(unable to get local issuer certificate|self.signed certificate)/);
    front.use(papers.certificate('elsewhere', 'DNS:elsewhere.internal'));
    refused(await through('authority'), /TLS.*hostname mismatch/);
    front.use(papers.certificate('old', 'DNS:localhost', { isExpired: true }));
    refused(await through('authority'), /TLS.*certificate has expired/);
  } finally {
    await front.stop();
  }
});

test('the exchange is not there', async () => {
  await stack.api('DELETE', `/api/exchanges/${stack.name}/sluice.events`);
  const { status, layers, failing } = await doctor();
  assert.deepEqual([status, failing], [1, ['exchange']]);
  assert.equal(layers.exchange.do, 'sluice topology apply');
  await stack.sluice('topology', 'apply');
  assert.equal((await doctor()).status, 0);
});

test('a disk alarm: the publish is not confirmed, and the node says why', async () => {
  await servers.rabbitmqctl('set_disk_free_limit', '100000GB');
  try {
    const found = await until('the alarm is seen', async () => {
      const seen = await doctor();
      return seen.failing.some((name) => name.startsWith('node ')) && seen;
    }, 60000);
    const node = found.failing.find((name) => name.startsWith('node '));
    assert.match(found.layers[node].detail, /^disk alarm, /);
    assert.ok(found.failing.includes('publish'), found.stdout);
  } finally {
    await servers.rabbitmqctl('set_disk_free_limit', '50MB');
  }
  await until('all is well again', async () => (await doctor()).status === 0);
});

test('without the management interface the alarms are unknown, not well', async () => {
  const { status, layers } = await doctor(undefined, { RABBITMQ_API_URL: '' });
  assert.equal(status, 0);
  assert.equal(layers.alarms.verdict, 'unknown');
});
