// B9 - the virtual host allows no more connections; and the broker allows one channel a connection only.
// Expected: the refusal (530) is named, attempts are far apart; one channel is all that is needed.
import { FrameProxy, isMethod } from './lib/frames.mjs';
import { scenario } from './lib/scenario.mjs';

let frames;

await scenario('B9', 'no more connections; one channel only', {
  healMs: 90000,
  async beforeStart(world) {
    frames = await FrameProxy.start(Number(world.stack.servers.STACK_AMQP_PORT));
    frames.down = (one) => {
      if (!isMethod(one, 10, 30)) return [one.bytes];
      const bytes = Buffer.from(one.bytes);
      bytes.writeUInt16BE(1, 7 + 4); // channel_max
      return [bytes];
    };
    world.cleanup(() => frames.stop());
    world.cleanup(() => world.broker.api('DELETE', '/api/vhost-limits/%v/max-connections'));
    return { AMQP_URL: world.brokerAt(frames.port) };
  },
}, async (world) => {
  await world.warm();
  const before = frames.accepted;
  await world.fault('max-connections 0', async () => {
    await world.broker.api('PUT', '/api/vhost-limits/%v/max-connections', { value: 0 });
    frames.reset();
  });
  await world.until('the refusal is named', () => world.log('broker.lost').some((line) => line.error_code === 'amqp.refused' && /530/.test(line.error)), 20000);
  await world.hold(world.ms(3000, 40000));
  world.check(frames.accepted - before <= 3, `${frames.accepted - before} attempts`);
  world.note(world.log('broker.lost').at(-1).error);
  await world.heal(() => world.broker.api('DELETE', '/api/vhost-limits/%v/max-connections'));
});
