// B4 - the broker refuses us: no permission for the exchange (403), the password changed, the user deleted, the virtual host gone (530).
// Expected: each is named in the log; attempts are half a minute apart at least, so that no account is locked; events are journaled meanwhile.
import { scenario } from './lib/scenario.mjs';

const PAUSE_MS_MIN = 30000;

await scenario('B4', 'permission taken, password changed, user deleted', {
  healMs: 90000, // an attempt may be 30 s and the longest back-off away
  async beforeStart(world) {
    world.user = `outage_${process.pid}`;
    world.cleanup(() => world.broker.userOff(world.user));
    await world.broker.user(world.user, 'first password');
    return { AMQP_URL: world.brokerAt(world.stack.servers.STACK_AMQP_PORT, { user: world.user, password: 'first password' }) };
  },
}, async (world) => {
  const disconnect = async () => {
    const ours = (await world.broker.api('GET', '/api/connections')).filter((one) => one.user === world.user);
    for (const one of ours) await world.broker.api('DELETE', `/api/connections/${encodeURIComponent(one.name)}`);
  };
  const refusals = () => world.log('broker.lost').filter((line) => line.error_code === 'amqp.refused');
  await world.warm();
  await world.until('the management API knows the connection', async () => (await world.broker.api('GET', '/api/connections')).some((one) => one.user === world.user), 20000);

  await world.fault('no write permission', async () => {
    await world.broker.user(world.user, 'first password', { configure: '.*', write: '^$', read: '.*' });
    await disconnect(); // a channel remembers what it was allowed
  });
  await world.until('the refusal of the exchange is logged', () => refusals().some((line) => /403/.test(line.error)), 10000);
  await world.broker.user(world.user, 'second password');
  await world.until('the refusal of the login is logged', () => refusals().some((line) => /logging in/.test(line.error)), 70000);
  await world.broker.userOff(world.user);
  await world.until('a third refusal', () => refusals().length >= 3, 70000);
  const waits = refusals().map((line) => line.wait_ms);
  world.check(waits.every((ms) => ms >= PAUSE_MS_MIN), `pauses were ${waits} ms`);
  for (const line of refusals()) world.note(line.error);
  await world.heal(() => world.broker.user(world.user, 'first password'));
});
