// A15 - the broker lets in only who shows a certificate of its authority, and that certificate is renewed while everything runs: first by one that the broker
// does not know, then by a good one, then half of a pair.
// Expected: without one, or with a stranger's, the link is refused with the code amqp.tls and events are kept; what is on disk is used at the next connection, at
// once on SIGHUP, without a gap; files that do not fit are said with their key, and the last good ones serve on.
import { execFile } from 'node:child_process';
import { copyFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../integration/lib/stack.mjs';
import { rabbitmqctl } from './lib/broker.mjs';
import { scenario } from './lib/scenario.mjs';
import { Papers } from './lib/tls.mjs';

const run = promisify(execFile);
let papers;
let settings;

// A listener of the real broker that demands a certificate; ends with the scenario.
async function listen(world, port, server) {
  const options = `[{cacertfile, "${papers.authority('clients')}"}, {certfile, "${server.certFile}"}, {keyfile, "${server.keyFile}"}, {verify, verify_peer}, {fail_if_no_peer_cert, true}, {versions, ['tlsv1.3', 'tlsv1.2']}]`;
  await rabbitmqctl('eval', `ok = rabbit_networking:start_ssl_listener({"127.0.0.1", ${port}}, ${options}, 10).`);
  world.cleanupAfterAll(() => rabbitmqctl('eval', `[ranch:stop_listener(Ref) || {acceptor, _, ${port}} = Ref <- maps:keys(ranch:info())].`));
}

// Each file as one step, as tools that renew certificates do.
function put(name, ends = ['crt', 'key']) {
  for (const end of ends) {
    copyFileSync(papers.file(`${name}.${end}`), papers.file(`current.${end}.new`));
    renameSync(papers.file(`current.${end}.new`), papers.file(`current.${end}`));
  }
}

// A program that is expected to end by itself: its status and what it says.
async function ends(world, program, args, environment) {
  const done = await run(path.join(process.env.SLUICE_BIN, program), args, { env: { ...world.stack.environment, ...world.stack.publisherEnvironment, ...environment }, timeout: 30000 }).catch((error) => error);
  return { code: done.code ?? 0, text: `${done.stdout}${done.stderr}` };
}

// Whose certificates the links of this world have shown, as the broker sees them.
async function shown(world) {
  const links = await world.broker.api('GET', '/api/vhosts/%v/connections');
  return links.map((link) => link.peer_cert_subject);
}

const cut = (world) => rabbitmqctl('close_all_connections', '--vhost', world.stack.name, 'the scenario cuts them');

await scenario('A15', 'a client certificate, refused and renewed', {
  async beforeStart(world) {
    papers = new Papers(world.stack.dir);
    for (const name of ['first', 'second', 'third']) papers.certificate(name, 'DNS:client', { authority: 'clients', isClient: true });
    papers.certificate('stranger', 'DNS:client', { authority: 'strangers', isClient: true });
    const port = await freePort();
    await listen(world, port, papers.certificate('server', 'DNS:localhost'));
    put('first');
    settings = {
      AMQP_URL: world.brokerAt(port, { host: 'localhost', protocol: 'amqps:' }), SLUICE_AMQP_CA: papers.authority('authority'),
      SLUICE_AMQP_CERT: papers.file('current.crt'), SLUICE_AMQP_KEY: papers.file('current.key'),
    };
    Object.assign(world.stack.consumerEnvironment, settings);
    return settings;
  },
}, async (world) => {
  const all = async (name) => {
    const names = await shown(world);
    return names.length >= 3 && names.every((one) => one === `CN=${name}`) && names.length;
  };
  const told = (event, pattern, from = 0) => world.log(event).slice(from).filter((line) => pattern.test(JSON.stringify(line)));
  await world.warm();
  await world.until('every link has shown the first certificate', () => all('first'), 15000);

  // The operator's tool, and starts that must not be.
  const tool = await ends(world, 'sluice', ['topology', 'diff'], settings);
  world.check(tool.code === 0, `sluice with a certificate: ${tool.code}, ${tool.text}`);
  const without = await ends(world, 'sluice', ['topology', 'diff'], { ...settings, SLUICE_AMQP_CERT: '', SLUICE_AMQP_KEY: '' });
  world.check(without.code !== 0 && /TLS: .*certificate required/.test(without.text), `sluice without a certificate: ${without.code}, ${without.text}`);
  for (const [what, environment, pattern] of [
    ['a missing file', { SLUICE_AMQP_CERT: papers.file('none.crt') }, /SLUICE_AMQP_CERT: .*No such file/],
    ['a key of another', { SLUICE_AMQP_KEY: papers.file('third.key') }, /SLUICE_AMQP_KEY: .*mismatch/],
    ['half a pair', { SLUICE_AMQP_KEY: '' }, /SLUICE_AMQP_CERT: needs SLUICE_AMQP_KEY/],
  ]) {
    for (const program of ['sluice-publisher', 'sluice-consumer']) {
      const start = await ends(world, program, [], { ...settings, ...environment });
      world.check(start.code === 78 && pattern.test(start.text), `${program} with ${what}: ${start.code}, ${start.text}`);
    }
  }

  await world.fault('a certificate that the broker does not know', async () => {
    put('stranger');
    await cut(world);
  });
  await world.until('the broker refuses it', () => told('broker.lost', /amqp\.tls/).length > 0, 20000);
  const line = told('broker.lost', /amqp\.tls/)[0];
  world.note(`${line?.error_code}, ${line?.error}`);
  await world.hold(world.ms(1000, 10000));
  await world.heal(() => put('second'));
  await world.until('every link has shown the second certificate', () => all('second'), 60000);

  // Half a pair: nothing changes, and both the reload and the next connection say why.
  put('third', ['key']);
  world.stack.publisher.kill('SIGHUP');
  await world.until('the reload names the key', () => told('process.reload_failed', /SLUICE_AMQP_KEY: /).length === 1, 10000);
  await cut(world);
  await world.until('the link says what it does not use', () => told('tls.rejected', /mismatch/).length > 0, 20000);
  await world.until('the last good certificate serves on', () => all('second'), 60000);

  // The whole pair, at once and without a gap.
  const lost = world.log('broker.lost').length;
  put('third');
  world.stack.publisher.kill('SIGHUP');
  await world.until('the connection is another', () => told('broker.changed', /./).length === 1, 20000);
  await world.until('the publisher has shown the third certificate', async () => (await shown(world)).includes('CN=third'), 15000);
  world.check(world.log('broker.lost').length === lost, 'the change of certificates cost a connection');
});
