// receive - events a second from HTTP to the broker's confirm, at full speed: the publisher, the Node peer, and the bare confirm loop in turn.
//
// The consumer is off. wrk, the broker and what is measured share the machine's cores, in every leg alike. A last leg has no broker: the same
// events into the journal, answered 202.
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { freePort, until } from '../integration/lib/stack.mjs';
import { ratios, spread, ticksToUs, Watch } from './measure.mjs';

const FEW = 128;
const MANY = 512;

export async function receive(world) {
  const { stack, options } = world;
  const bodies = world.bodies('receive', options.short ? 5000 : 30000);
  const peerPort = await freePort();
  const peer = world.peer('peer_receiver', { STRIPE_WEBHOOK_SECRET: stack.secret, PORT: String(peerPort) });
  await stack.startPublisher();
  await world.peerReady(peer, peerPort);

  const legs = { ours: [], peer: [], oursMany: [], bare: [], journal: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    legs.ours.push(await leg(world, bodies, FEW, stack.httpPort, stack.publisher.pid));
    legs.peer.push(await leg(world, bodies, FEW, peerPort, peer.pid));
    legs.oursMany.push(await leg(world, bodies, MANY, stack.httpPort, stack.publisher.pid));
    await world.purge();
    legs.bare.push(await world.barePublish('-w', String(MANY), '-s', String(options.seconds), bodies));
    legs.journal.push(await journalLeg(world, bodies));
  }
  const degraded = await stack.metric('sluice_publish_total{outcome="timeout"}');
  await stack.terminate(stack.publisher);
  peer.kill('SIGKILL');
  await peer.ended;
  if (degraded > 0) throw new Error(`${degraded} events were not confirmed in time: the machine is too busy for a figure`);

  const rates = (name) => legs[name].map((one) => one.per_second);
  return {
    receive_128_per_second: spread(rates('ours')),
    receive_128_peer_per_second: spread(rates('peer')),
    receive_512_per_second: spread(rates('oursMany')),
    receive_512_bare_per_second: spread(rates('bare')),
    receive_journal_per_second: spread(rates('journal')),
    receive_vs_peer: ratios(rates('ours'), rates('peer')),
    receive_vs_bare: ratios(rates('oursMany'), rates('bare')),
    receive_journal_vs_confirmed: ratios(rates('journal'), rates('ours')),
    publisher_cpu_us: spread(legs.ours.map((one) => one.cpu_us)),
    publisher_512_cpu_us: spread(legs.oursMany.map((one) => one.cpu_us)),
    peer_receiver_cpu_us: spread(legs.peer.map((one) => one.cpu_us)),
    bare_publish_cpu_us: spread(legs.bare.map((one) => one.cpu_us)),
    publisher_cpu_vs_peer: ratios(legs.peer.map((one) => one.cpu_us), legs.ours.map((one) => one.cpu_us)),
    wrk_cpu_us: spread([...legs.ours, ...legs.oursMany].map((one) => one.wrk_cpu_us)),
    wrk_share_of_cpu: spread([...legs.ours, ...legs.oursMany].map((one) => one.wrk_share)),
    publisher_rss_anon_mb: spread([...legs.ours, ...legs.oursMany].map((one) => one.rss_mb)),
    peer_receiver_rss_anon_mb: spread(legs.peer.map((one) => one.rss_mb)),
    receive_128_p99_us: spread(legs.ours.map((one) => one.p99_us)),
  };
}

async function leg(world, bodies, connections, port, pid) {
  await world.purge();
  const watch = new Watch(pid);
  const load = await world.wrk(bodies, connections, port);
  const used = watch.end();
  return {
    per_second: load.requests / load.seconds,
    cpu_us: used.cpuUs / load.requests,
    rss_mb: used.peakMb,
    p99_us: load.p99_us,
    wrk_cpu_us: ticksToUs(load.cpu_ticks) / load.requests,
    wrk_share: ticksToUs(load.cpu_ticks) / (load.seconds * 1e6),
  };
}

// A publisher of its own whose broker does not exist.
async function journalLeg(world, bodies) {
  const { stack } = world;
  const port = await freePort();
  const metricsPort = await freePort();
  const dir = path.join(stack.dir, 'journal-leg');
  mkdirSync(dir);
  const child = stack.spawn('sluice-publisher', { ...stack.publisherEnvironment, AMQP_URL: 'amqp://nobody:nothing@127.0.0.1:1', SLUICE_STATE_DIR: dir,
    SLUICE_HTTP_LISTEN: `127.0.0.1:${port}`, SLUICE_METRICS_LISTEN: `127.0.0.1:${metricsPort}`, SLUICE_JOURNAL_MAX: '20GiB', EVENTBUS_DEGRADED_LOG_LEVEL: 'info', LOG_LEVEL: 'error' });
  await until('it has given up its first attempt', () => stack.isReady(port, child));
  const load = await world.wrk(bodies, FEW, port);
  child.kill('SIGTERM');
  await child.ended;
  rmSync(dir, { recursive: true });
  return { per_second: load.requests / load.seconds };
}
