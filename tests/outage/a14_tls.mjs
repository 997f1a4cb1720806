// A14 - the broker's certificate is expired, for another name, for an address only, self-signed, of an unknown authority; it offers TLS 1.1 only; it stops in
// the middle of the handshake.
// Expected: each is refused and named, with the code amqp.tls; never a byte in plain text; a stalled handshake costs one attempt.
import { readFileSync } from 'node:fs';
import { Papers, TlsFront } from './lib/tls.mjs';
import { scenario } from './lib/scenario.mjs';

let front;
let good;
let papers;

await scenario('A14', 'TLS that must be refused', {
  async beforeStart(world) {
    papers = new Papers(world.stack.dir);
    good = papers.certificate('good', 'DNS:localhost');
    front = await TlsFront.start(Number(world.stack.servers.STACK_AMQP_PORT), good);
    world.cleanup(() => front.stop());
    return { AMQP_URL: world.brokerAt(front.port, { host: 'localhost', protocol: 'amqps:' }), SSL_CERT_FILE: papers.authority('authority') };
  },
}, async (world) => {
  papers.authority('self');
  const cases = [
    ['expired', papers.certificate('expired', 'DNS:localhost', { isExpired: true }), /expired/],
    ['another name', papers.certificate('other', 'DNS:elsewhere.example'), /hostname mismatch/i],
    ['an address only', papers.certificate('address', 'IP:127.0.0.1'), /hostname mismatch/i],
    ['self-signed', { cert: readFileSync(papers.file('self.crt')), key: readFileSync(papers.file('self.key')) }, /self.signed/],
    ['an unknown authority', papers.certificate('unknown', 'DNS:localhost', { authority: 'stranger' }), /unable to get local issuer|self.signed/],
    ['TLS 1.1 only', { ...good, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }, /version|protocol/i],
    ['a stalled handshake', undefined, /no answer within/],
  ];
  await world.warm();
  await world.fault('TLS', () => {});
  for (const [name, options, pattern] of cases) {
    const known = world.log('broker.lost').length;
    front.use(options);
    front.reset();
    const lines = () => world.log('broker.lost').slice(known).filter((line) => pattern.test(line.error));
    await world.until(`${name} is refused`, () => lines().length > 0, 70000);
    const line = lines()[0];
    if (!line) continue;
    world.note(`${name}: ${line.error_code}, ${line.error}`);
    world.check(line.error_code === (options ? 'amqp.tls' : 'amqp.unreachable'), `${name} is called ${line.error_code}`);
  }
  world.check(front.plaintext === 0, `${front.plaintext} connections were tried in plain text`);
  world.check((await world.count(/^sluice_broker_reconnects_total\{link="publish",reason="amqp.tls"\}/)) >= 5, 'the metric has no reason amqp.tls');
  await world.heal(() => {
    front.use(good);
    front.reset();
  });
});
