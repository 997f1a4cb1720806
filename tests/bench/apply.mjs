// apply - events a second from a full queue to committed rows: the consumer, the bare libpq loop and the per-message Node consumer in turn.
//
// Each leg has fresh events and empty tables. The bare loop has the machine to itself and Postgres; the two consumers share it with the broker.
import { ratios, spread, Watch } from './measure.mjs';

const PEER_PART = 8; // the peer gets an eighth of the events

export async function apply(world) {
  const { options } = world;
  const legs = { ours: [], bare: [], peer: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    legs.ours.push(await consumerLeg(world, options.events));
    legs.bare.push(await bareLeg(world, options.events));
    legs.peer.push(await peerLeg(world, Math.round(options.events / PEER_PART)));
  }
  const large = await consumerLeg(world, options.short ? 40 : 100, 1000000);

  const rates = (name) => legs[name].map((one) => one.per_second);
  return {
    apply_per_second: spread(rates('ours')),
    apply_bare_per_second: spread(rates('bare')),
    apply_peer_per_second: spread(rates('peer')),
    apply_vs_bare: ratios(rates('ours'), rates('bare')),
    apply_vs_peer: ratios(rates('ours'), rates('peer')),
    // Of the time, what was spent waiting for Postgres: the rest is reading, parsing and the broker.
    apply_share_in_transactions: spread(legs.ours.map((one) => one.in_transactions)),
    consumer_cpu_us: spread(legs.ours.map((one) => one.cpu_us)),
    peer_consumer_cpu_us: spread(legs.peer.map((one) => one.cpu_us)),
    consumer_cpu_vs_peer: ratios(legs.peer.map((one) => one.cpu_us), legs.ours.map((one) => one.cpu_us)),
    consumer_rss_anon_mb: spread(legs.ours.map((one) => one.rss_mb)),
    consumer_large_rss_anon_mb: spread([large.rss_mb]),
    peer_consumer_rss_anon_mb: spread(legs.peer.map((one) => one.rss_mb)),
  };
}

async function consumerLeg(world, events, bytes) {
  const { stack } = world;
  await fill(world, 'sluice.billing', events, bytes, []);
  stack.consumer = stack.spawn('sluice-consumer', stack.consumerEnvironment);
  const watch = new Watch(stack.consumer.pid);
  await world.applied(events);
  const used = watch.end();
  const transactionS = await stack.metric('sluice_consumer_apply_duration_seconds_sum', stack.consumerPort);
  const end = await stack.terminate(stack.consumer);
  if (end.code !== 0) throw new Error(`the consumer ended with ${end.code ?? end.signal}; see ${stack.consumer.logFile}`);
  const perSecond = await world.applyRate();
  return { per_second: perSecond, cpu_us: used.cpuUs / events, rss_mb: used.peakMb, in_transactions: (transactionS * perSecond) / events };
}

async function bareLeg(world, events) {
  const bodies = world.bodies('apply', events);
  await world.emptyTables();
  await world.tool('bare_apply', [bodies], { withDatabase: true });
  return { per_second: await world.applyRate() };
}

async function peerLeg(world, events) {
  await fill(world, 'bench.peer', events, undefined, ['-x', '', '-k', 'bench.peer', '-j']);
  const peer = world.peer('peer_consumer');
  const watch = new Watch(peer.pid);
  await world.applied(events);
  const used = watch.end();
  peer.kill('SIGKILL');
  await peer.ended;
  return { per_second: await world.applyRate(), cpu_us: used.cpuUs / events, rss_mb: used.peakMb };
}

async function fill(world, queue, events, bytes, where) {
  await world.purge();
  const bodies = world.bodies('apply', events, bytes);
  await world.barePublish(...where, '-w', bytes > 100000 ? '8' : '512', '-n', String(events), bodies);
  await world.queued(queue, events);
  await world.emptyTables();
}
