// cluster - three RabbitMQ nodes of our own on loopback, as one cluster, for a scenario that needs a majority to lose.
//
// Each node is started by ops' own script (ops/dev/rabbitmq.sh) with its own folder and ports; they find each other by name. About 25 s to form.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort, until } from '../../integration/lib/stack.mjs';

const run = promisify(execFile);
const scripts = '/usr/lib/rabbitmq/bin';

export class Cluster {
  static async start(dir, count = 3) {
    const cluster = new Cluster();
    cluster.dir = dir;
    cluster.password = 'outage';
    const ports = await Promise.all(Array.from({ length: count * 4 + 1 }, () => freePort()));
    cluster.epmdPort = ports.pop();
    mkdirSync(path.join(dir, 'home'), { recursive: true });
    writeFileSync(path.join(dir, 'home', '.erlang.cookie'), 'outage-suite-of-one-run', { mode: 0o400 });
    cluster.epmd = spawn('epmd', ['-port', String(cluster.epmdPort), '-address', '127.0.0.1'], { stdio: 'ignore' });
    cluster.nodes = Array.from({ length: count }, (_, i) => ({
      name: `r${i + 1}@localhost`, dir: path.join(dir, `r${i + 1}`), amqp: ports[i * 4], management: ports[i * 4 + 1], dist: ports[i * 4 + 2], ctl: ports[i * 4 + 3],
    }));
    for (const node of cluster.nodes) cluster.prepare(node);
    for (const node of cluster.nodes) cluster.startNode(node);
    await Promise.all(cluster.nodes.map((node) => cluster.serves(node)));
    await until('three nodes are one cluster', async () => JSON.parse((await cluster.ctl(cluster.nodes[0], 'cluster_status', '--formatter', 'json'))).running_nodes.length === count, 60000);
    return cluster;
  }

  prepare(node) {
    mkdirSync(node.dir, { recursive: true });
    writeFileSync(path.join(node.dir, 'env.conf'), '');
    writeFileSync(path.join(node.dir, 'plugins'), '[rabbitmq_management].');
    writeFileSync(path.join(node.dir, 'rabbitmq.conf'), [
      `listeners.tcp.1 = 127.0.0.1:${node.amqp}`, 'management.tcp.ip = 127.0.0.1', `management.tcp.port = ${node.management}`,
      'default_user = outage', `default_pass = ${this.password}`,
      'cluster_formation.peer_discovery_backend = classic_config',
      ...this.nodesOf().map((name, i) => `cluster_formation.classic_config.nodes.${i + 1} = ${name}`),
      'cluster_formation.randomized_startup_delay_range.min = 0', 'cluster_formation.randomized_startup_delay_range.max = 1',
      'cluster_partition_handling = pause_minority', 'net_ticktime = 10', '',
    ].join('\n'));
  }

  nodesOf() {
    return this.nodes.map((node) => node.name);
  }

  environment(node) {
    return {
      PATH: `${scripts}:/usr/bin:/bin`, LANG: 'C.UTF-8', HOME: path.join(this.dir, 'home'), OUTAGE_NODE: node.dir, RUNNING_UNDER_SYSTEMD: 'true',
      RABBITMQ_CONF_ENV_FILE: path.join(node.dir, 'env.conf'), RABBITMQ_NODENAME: node.name, RABBITMQ_MNESIA_BASE: path.join(node.dir, 'mnesia'),
      RABBITMQ_LOG_BASE: path.join(node.dir, 'log'), RABBITMQ_PID_FILE: path.join(node.dir, 'pid'), RABBITMQ_ENABLED_PLUGINS_FILE: path.join(node.dir, 'plugins'),
      RABBITMQ_CONFIG_FILE: path.join(node.dir, 'rabbitmq'), RABBITMQ_ADVANCED_CONFIG_FILE: path.join(node.dir, 'advanced'),
      RABBITMQ_GENERATED_CONFIG_DIR: path.join(node.dir, 'generated'), RABBITMQ_PLUGINS_EXPAND_DIR: path.join(node.dir, 'expand'),
      RABBITMQ_DIST_PORT: String(node.dist), RABBITMQ_SCHEDULER_BIND_TYPE: 'u',
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none',
      RABBITMQ_CTL_ERL_ARGS: '-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}',
      RABBITMQ_CTL_DIST_PORT_MIN: String(node.ctl), RABBITMQ_CTL_DIST_PORT_MAX: String(node.ctl),
      ERL_EPMD_PORT: String(this.epmdPort), ERL_EPMD_ADDRESS: '127.0.0.1',
    };
  }

  startNode(node) {
    const out = openSync(path.join(node.dir, 'out'), 'a');
    spawn('rabbitmq-server', [], { env: this.environment(node), stdio: ['ignore', out, out], detached: true }).unref();
  }

  async ctl(node, ...args) {
    return (await run('rabbitmqctl', ['-q', '-n', node.name, ...args], { env: this.environment(node), timeout: 100000 })).stdout;
  }

  // Its processes are those that carry its folder in their environment.
  processesOf(node) {
    const mark = `OUTAGE_NODE=${node.dir}\0`;
    return readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
      } catch {
        return false;
      }
    }).map(Number);
  }

  kill(node) {
    for (const pid of this.processesOf(node)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
  }

  async start(node) {
    this.startNode(node);
    await this.serves(node);
  }

  // await_startup gives up at once while the node has not told the port mapper its name.
  serves(node) {
    return until(`${node.name} serves`, () => this.ctl(node, 'await_startup', '--timeout', '90').then(() => true), 120000);
  }

  stop() {
    for (const node of this.nodes) this.kill(node);
    this.epmd.kill('SIGKILL');
    return Promise.resolve();
  }
}
