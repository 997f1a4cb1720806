// A12 - name service: the name is moved to an address that swallows packets, then does not exist, then is not answered for; at the end it has two
// addresses, of which the first is a black hole.
// Expected: none of it is on the way of a request; every address gets its own share of an attempt, so the second one is reached.
import { NameServer } from './lib/names.mjs';
import { packets } from './lib/packets.mjs';
import { scenario, skip } from './lib/scenario.mjs';

const NOWHERE = '127.0.0.66';
const HOST = 'broker.outage.test';
let names;

await scenario('A12', 'the broker\'s name: dead address, none, no answer, two of which one is dead', {
  needs: async () => (await packets.canBeDropped()) || skip('needs root and nft'),
  async beforeStart(world) {
    names = await NameServer.start();
    world.cleanup(() => names.stop());
    world.cleanup(() => packets.pass());
    await packets.drop(NOWHERE);
    names.answer = ['127.0.0.1'];
    world.stack.publisherWrapper = names.wrapper(world.stack.dir);
    return { AMQP_URL: world.brokerAt(world.proxy.port, { host: HOST }) };
  },
  proxy: true,
}, async (world) => {
  const lost = (pattern) => world.log('broker.lost').some((line) => pattern.test(line.error));
  await world.warm();
  await world.fault('the name moves to a dead address', async () => {
    names.answer = [NOWHERE];
    await world.proxy.tell('reset');
  });
  await world.until('the dead address is found to be dead', () => lost(/timed out|no answer within/), 30000);
  await world.checkNobodyWaits();
  names.answer = [];
  await world.until('a name that does not exist is said', () => lost(/does not exist|not known|no address|NXDOMAIN/i), 45000);
  if (world.isLong) {
    names.answer = undefined;
    await world.until('name servers that do not answer are said', () => lost(/name servers did not answer/), 60000);
  }
  for (const line of new Set(world.log('broker.lost').map((one) => one.error))) world.note(line);
  await world.heal(() => { names.answer = [NOWHERE, '127.0.0.1']; });
});
