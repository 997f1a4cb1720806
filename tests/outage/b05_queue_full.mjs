// B5 - the queue is full and rejects what is published (overflow reject-publish): basic.nack.
// The end is the harder one: the limit is taken away, after which a channel of RabbitMQ 3.10 that was refused goes on refusing.
// Expected: a nack is not a success: journaled, and published again by itself when there is room; no event is given up because a queue was full.
import { scenario } from './lib/scenario.mjs';

await scenario('B5', 'the queue is full and refuses publishes', {}, async (world) => {
  await world.warm();
  const consumer = world.stack.consumer;
  world.cleanup(async () => consumer.kill('SIGCONT'));
  world.cleanup(() => world.broker.policyOff('full'));
  await world.fault('max-length 10, consumer stopped', async () => {
    consumer.kill('SIGSTOP');
    await world.broker.policy('full', '^sluice\\.billing$', { 'max-length': 10, overflow: 'reject-publish' });
  });
  await world.hold(world.ms(4000, 20000));
  world.check((await world.count(/^sluice_publish_total\{outcome="nacked"\}/)) > 0, 'nothing was nacked: the fault was never there');
  await world.heal(async () => {
    consumer.kill('SIGCONT');
    await world.broker.policyOff('full');
  });
  await world.checkNoPoison();
});
