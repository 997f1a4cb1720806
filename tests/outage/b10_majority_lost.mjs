// B10 - two of three nodes of a cluster are killed (-9): the quorum queue has no majority.
// Expected: confirms stop, the breaker opens, events are journaled; when the majority is back so is everything, by way of whichever host of AMQP_URL serves.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Cluster } from './lib/cluster.mjs';
import { scenario, skip } from './lib/scenario.mjs';

let cluster;
let dir;

await scenario('B10', 'the quorum queue loses its majority', {
  flaps: true,
  degradedWithinMs: 15000,
  healMs: 120000, // nodes take half a minute to start, then the longest back-off
  needs: async () => existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server') || skip('RabbitMQ is not installed'),
  async servers(world) {
    dir = mkdtempSync(path.join(tmpdir(), 'sluice-outage-cluster-'));
    world.cleanupAfterAll(async () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
    cluster = await Cluster.start(dir);
    world.cleanupAfterAll(() => cluster.stop());
    const [first] = cluster.nodes;
    return { AMQP_URL: `amqp://outage:outage@127.0.0.1:${first.amqp}`, RABBITMQ_API_URL: `http://outage:outage@127.0.0.1:${first.management}` };
  },
  async beforeStart(world) {
    const hosts = cluster.nodes.map((node) => `127.0.0.1:${node.amqp}`).join(',');
    const AMQP_URL = `amqp://outage:outage@${hosts}/${world.stack.name}`;
    world.stack.consumerEnvironment.AMQP_URL = AMQP_URL;
    return { AMQP_URL };
  },
}, async (world) => {
  await world.warm();
  await world.fault('two of three nodes killed', () => {
    cluster.kill(cluster.nodes[1]);
    cluster.kill(cluster.nodes[2]);
  });
  await world.hold(world.ms(10000, 40000));
  await world.heal(() => Promise.all([cluster.start(cluster.nodes[1]), cluster.start(cluster.nodes[2])]));
});
