// bench_world - one virtual host and database for the bench, with what every part of it needs: fresh events, empty queues, tools run to their line of JSON.
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Stack, until } from '../integration/lib/stack.mjs';
import { writeSignedBodies } from './signed_bodies.mjs';

const run = promisify(execFile);
const here = import.meta.dirname;
const tools = process.env.SLUICE_BENCH_TOOLS; // the folder of the C programs

export class BenchWorld {
  static async start(options) {
    const world = new BenchWorld();
    world.options = options; // rounds, seconds, events
    world.stack = await Stack.start('bench', { withPublisher: false, withConsumer: false, publisher: { STRIPE_WEBHOOK_TOLERANCE: '1h' } });
    world.environment = { ...world.stack.environment, AMQP_URL: world.stack.amqpUrl, DATABASE_URL: world.stack.databaseUrl };
    await world.api('PUT', '/api/queues/%/bench.peer', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    return world;
  }

  // % in a path stands for the virtual host.
  api(method, target, body) {
    return this.stack.api(method, target.replace('%', this.stack.name), body);
  }

  bodies(name, count, bytes) {
    return writeSignedBodies(path.join(this.stack.dir, `bodies-${name}`), this.stack.secret, count, bytes);
  }

  async purge() {
    for (const queue of ['sluice.billing', 'bench.peer']) await this.api('DELETE', `/api/queues/%/${queue}/contents`);
  }

  async emptyTables() {
    await this.stack.query('TRUNCATE sluice_inbox, billing_customer');
    await this.stack.query('CHECKPOINT');
  }

  async tool(name, args, { withDatabase = false } = {}) {
    const environment = { ...this.environment };
    if (!withDatabase) delete environment.DATABASE_URL;
    const { stdout } = await run(path.join(tools, `${name}_bench`), args, { env: environment, maxBuffer: 1 << 20 });
    return stdout;
  }

  async barePublish(...args) {
    return JSON.parse(await this.tool('bare_publish', args));
  }

  // wrk at full speed against a port. Everything must have been answered.
  async wrk(bodies, connections, port) {
    const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${this.options.seconds}s`, '--timeout', '10s',
      '-s', path.join(here, 'webhooks.lua'), `http://127.0.0.1:${port}`], { env: { ...process.env, BODIES: bodies }, maxBuffer: 1 << 20 });
    const load = JSON.parse(stdout.trim().split('\n').at(-1));
    if (load.not_2xx > 0 || load.unanswered > 0) throw new Error(`${load.not_2xx} answers other than 2xx and ${load.unanswered} none at all, at ${connections} connections`);
    return load;
  }

  // One of the Node peers, in this world.
  peer(name, extra = {}) {
    const log = openSync(path.join(this.stack.dir, `${name}.log`), 'a');
    const child = spawn(process.execPath, [path.join(here, `${name}.mjs`)],
      { env: { ...this.environment, ...extra, NODE_ENV: 'production' }, stdio: ['ignore', log, log] });
    closeSync(log);
    child.program = name;
    child.logFile = path.join(this.stack.dir, `${name}.log`);
    child.ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    return child;
  }

  async peerReady(child, port) {
    await until(`${child.program} is ready`, async () => {
      if (child.exitCode !== null) throw new Error(readFileSync(child.logFile, 'utf8'));
      return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
    });
  }

  // The queue holds this many: only then is a backlog measured from its beginning.
  async queued(queue, count) {
    await until(`${queue} holds ${count}`, async () => (await this.api('GET', `/api/queues/%/${queue}?disable_stats=false`)).messages === count, 60000);
  }

  // All rows are there and visible.
  async applied(count, deadlineMs = 300000) {
    await until(`${count} rows`, async () => Number(await this.stack.value('SELECT count(*) FROM sluice_inbox')) >= count, deadlineMs);
  }

  // Events a second between the begin of the first and of the last transaction, by the database's own clock.
  async applyRate() {
    return Number(await this.stack.value(`SELECT count(*) FILTER (WHERE applied_at < last) / extract(epoch FROM max(last) - min(applied_at))
      FROM sluice_inbox, (SELECT max(applied_at) AS last FROM sluice_inbox) AS l`));
  }

  async stop() {
    await this.stack.stop();
  }
}
