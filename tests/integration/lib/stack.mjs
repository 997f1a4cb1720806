// stack - one test's own world on the shared private servers: a virtual host, a database, a publisher and a consumer.
//
// The servers are started once per run by tests/support/stack.sh, which leaves their addresses in the file named by SLUICE_TEST_ENV.
// Everything a test starts is stopped by stop(), by pid.
import { spawn, execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtempSync, openSync, readFileSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import amqp from 'amqplib';

const run = promisify(execFile);
const bin = path.resolve(process.env.SLUICE_BIN ?? '.');

export function serverAddresses() {
  const file = process.env.SLUICE_TEST_ENV;
  if (!file) {
    console.error('SLUICE_TEST_ENV is not set: run these tests through tests/run (ctest starts the servers)');
    process.exit(77);
  }
  const lines = readFileSync(file, 'utf8').split('\n').filter((line) => /^[A-Z_]+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

const PATIENCE_MS = 300000; // a limit, not a claim: a busy machine is slow

// Waits until check() gives a truthy value; fails with `what` after deadlineMs, but not before PATIENCE_MS. Conditions, never sleeps, decide.
export async function until(what, check, deadlineMs = 0) {
  const waitMs = Math.max(deadlineMs, PATIENCE_MS);
  const end = Date.now() + waitMs;
  let last;
  for (;;) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not within ${waitMs} ms: ${what} (last: ${last})`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// A loopback port for a program that may end and start again. Claimed while this process lives, by a UDP socket of the same number, so that no
// other test gets it meanwhile; and below the range of outgoing connections (ip_local_port_range), each of which keeps its port busy for a minute after it ended.
export async function freePort() {
  for (;;) {
    const port = 10000 + randomInt(10000);
    const claim = createSocket('udp4');
    if (await opens(claim, (opened) => claim.bind({ port, address: '127.0.0.1', exclusive: true }, opened))) {
      const probe = createServer();
      const isFree = await opens(probe, (opened) => probe.listen(port, '127.0.0.1', opened));
      if (isFree) {
        await new Promise((resolve) => probe.close(resolve));
        claim.unref();
        return port;
      }
    }
    claim.close();
  }
}

// A broker that serves and is slow is no outage: where nobody looks at deadlines, its confirm has as long as it may have.
const unhurried = { SLUICE_CONFIRM_TIMEOUT: '4s', SLUICE_ANSWER_TIMEOUT: '10s' };
// As shipped, for those who do.
export const asShipped = { SLUICE_CONFIRM_TIMEOUT: '2s', SLUICE_ANSWER_TIMEOUT: '4500ms' };

// Arguments of the tool; a replay tells how it ended when all is decided, and on a busy machine that is later than its own patience.
export function patient(args) {
  const waits = ['dead replay', 'replay resume'].includes(`${args[0]} ${args[1]}`) && args.includes('--yes') && !args.includes('--wait');
  return waits ? [...args, '--wait', '5m'] : args;
}

const opens = (socket, begin) => new Promise((resolve) => {
  socket.once('error', () => resolve(false));
  begin(() => resolve(true));
});

export class Stack {
  // subsystems: text of a subsystems file; sql: run after the migrations; environment: of every program; servers: other addresses than the shared ones.
  static async start(name, { publisher = {}, consumer = {}, withPublisher = true, withConsumer = true, subsystems, sql, environment = {}, servers: others = {} } = {}) {
    const stack = new Stack();
    const servers = { ...serverAddresses(), ...others };
    stack.servers = servers;
    stack.name = `${name}_${process.pid}`;
    stack.dir = mkdtempSync(path.join(tmpdir(), `sluice-test-${name}-`));
    stack.secret = `whsec_${randomBytes(24).toString('hex')}`;
    stack.httpPort = await freePort();
    stack.metricsPort = await freePort();
    stack.consumerPort = await freePort();
    stack.url = `http://127.0.0.1:${stack.httpPort}`;
    await stack.createVhost();
    await stack.createDatabase();
    stack.environment = {
      PATH: process.env.PATH,
      HOME: stack.dir,
      AMQP_URL: stack.amqpUrl,
      DATABASE_URL: stack.databaseUrl,
      STRIPE_WEBHOOK_SECRET: stack.secret,
      SLUICE_HTTP_LISTEN: `127.0.0.1:${stack.httpPort}`,
      SLUICE_STATE_DIR: stack.dir,
      LOG_FORMAT: 'json',
      ...(process.env.SLUICE_LOOPS === undefined ? {} : { SLUICE_LOOPS: process.env.SLUICE_LOOPS }), // every test with several loops
      ASAN_OPTIONS: 'abort_on_error=0:exitcode=99:detect_leaks=1',
      TSAN_OPTIONS: process.env.TSAN_OPTIONS ?? 'exitcode=99',
      UBSAN_OPTIONS: 'halt_on_error=1:exitcode=99:print_stacktrace=1',
      ...environment,
    };
    if (subsystems !== undefined) {
      stack.environment.SLUICE_SUBSYSTEMS = path.join(stack.dir, 'subsystems.conf');
      writeFileSync(stack.environment.SLUICE_SUBSYSTEMS, subsystems);
    }
    await stack.sluice('migrate', 'up');
    if (sql !== undefined) await stack.query(sql);
    await stack.sluice('topology', 'apply');
    stack.publisherWrapper = []; // must end in exec, so that the process is the publisher
    stack.publisherEnvironment = { SLUICE_METRICS_LISTEN: `127.0.0.1:${stack.metricsPort}`, ...unhurried, ...publisher };
    stack.consumerEnvironment = { SLUICE_METRICS_LISTEN: `127.0.0.1:${stack.consumerPort}`, ...consumer };
    if (withPublisher) await stack.startPublisher();
    if (withConsumer) await stack.startConsumer();
    return stack;
  }

  async createVhost() {
    const api = new URL(this.servers.RABBITMQ_API_URL);
    this.apiAuth = `Basic ${Buffer.from(`${decodeURIComponent(api.username)}:${decodeURIComponent(api.password)}`).toString('base64')}`;
    this.apiBase = `${api.protocol}//${api.host}`;
    await this.api('PUT', `/api/vhosts/${this.name}`, {});
    const amqp = new URL(this.servers.AMQP_URL);
    amqp.pathname = `/${this.name}`;
    this.amqpUrl = amqp.toString();
  }

  async api(method, target, body) {
    const answer = await fetch(this.apiBase + target, {
      method,
      headers: { authorization: this.apiAuth, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok && !(method === 'DELETE' && answer.status === 404)) {
      throw new Error(`${method} ${target}: ${answer.status} ${await answer.text()}`);
    }
    return answer.status === 204 || answer.status === 201 ? null : answer.json();
  }

  // What waits or is delayed, as the queues themselves say: the management API's figures are up to 5 s old. What is in a consumer's hands is not counted.
  async messagesReady() {
    const connection = await amqp.connect(this.amqpUrl);
    try {
      const channel = await connection.createChannel();
      let ready = 0;
      for (const { name, exclusive } of await this.api('GET', `/api/queues/${this.name}`)) if (!exclusive) ready += (await channel.checkQueue(name)).messageCount;
      return ready;
    } finally {
      await connection.close();
    }
  }

  // Nothing waits, nothing is delayed, nothing is in the consumer's hands; looked at twice, since a message may be on its way between two queues.
  async isBrokerEmpty() {
    for (let look = 0; look < 2; look += 1) {
      if ((await this.messagesReady()) > 0 || (await this.metric('sluice_consumer_inflight', this.consumerPort)) > 0) return false;
    }
    return true;
  }

  async createDatabase() {
    const admin = this.servers.DATABASE_URL;
    await run('psql', [admin, '-qAtc', `CREATE DATABASE "${this.name}"`]);
    const url = new URL(admin);
    url.pathname = `/${this.name}`;
    this.databaseUrl = url.toString();
  }

  // Runs the operator's tool in this world; rejects when it fails.
  async sluice(...args) {
    return (await run(path.join(bin, 'sluice'), patient(args), { env: this.environment })).stdout;
  }

  // The same, whatever comes of it: {status, stdout, stderr}, the status a signal's name when one ended it. environment: beside that of every program.
  tool(args, environment = {}) {
    return new Promise((resolve) => {
      execFile(path.join(bin, 'sluice'), patient(args), { env: { ...this.environment, ...environment }, timeout: 600000, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
        resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr }));
    });
  }

  // As sluice(), for an operator who cannot reach Postgres.
  async sluiceWithoutPostgres(...args) {
    return (await run(path.join(bin, 'sluice'), args, { env: { ...this.environment, DATABASE_URL: `postgres://sluice@127.0.0.1:${await freePort()}/none?connect_timeout=2` } })).stdout;
  }

  // Without waiting for it.
  spawnPublisher() {
    this.publisher = this.spawn('sluice-publisher', this.publisherEnvironment, this.publisherWrapper);
  }

  async startPublisher() {
    this.spawnPublisher();
    await until('the publisher is ready', () => this.isReady(this.httpPort, this.publisher));
  }

  async startConsumer() {
    this.consumer = this.spawn('sluice-consumer', this.consumerEnvironment);
    await until('the consumer is ready', () => this.isReady(this.consumerPort, this.consumer));
  }

  async isReady(port, child) {
    if (child.exitCode !== null) throw new Error(`${child.program} ended with ${child.exitCode}; see ${child.logFile}`);
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    await answer.arrayBuffer();
    return answer.status === 200;
  }

  // wrapper: a command that starts the program, e.g. ['prlimit', '--nofile=64:64'].
  spawn(program, extra, wrapper = []) {
    const logFile = path.join(this.dir, `${program}.log`);
    const log = openSync(logFile, 'a');
    const [command, ...args] = [...wrapper, path.join(bin, program)];
    const child = spawn(command, args, {
      env: { ...this.environment, ...extra },
      stdio: ['ignore', 'ignore', log],
    });
    closeSync(log);
    child.program = program;
    child.logFile = logFile;
    child.ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    return child;
  }

  // Whole lines only while it runs: the last one may be half there.
  logOf(child) {
    const isRunning = child.exitCode === null && child.signalCode === null;
    const text = readFileSync(child.logFile, 'utf8');
    return isRunning ? text.slice(0, text.lastIndexOf('\n') + 1) : text;
  }

  // Its lines of one event, parsed. The last line of a log that is being written may be half there.
  linesOf(child, event) {
    const complete = this.logOf(child).split('\n').slice(0, -1);
    return complete.filter((line) => line.includes(`"event":"${event}"`)).map((line) => JSON.parse(line)).filter((line) => line.event === event);
  }

  // Waits for them: the log is written by a thread of its own, a moment after what it tells. That something was not said shows when a later line is there.
  async said(child, event, count) {
    return until(`${count} lines ${event}`, () => {
      const lines = this.linesOf(child, event);
      return lines.length >= count && lines;
    });
  }

  async query(sql) {
    const { stdout } = await run('psql', [this.databaseUrl, '-qAtX', '-F', '\t', '-c', sql], { maxBuffer: 256 << 20 });
    return stdout.split('\n').filter(Boolean).map((line) => line.split('\t'));
  }

  // Begins a transaction that holds what `sql` locks; resolves, when it is held, with a function that ends it.
  async lock(sql) {
    const psql = spawn('psql', [this.databaseUrl, '-qAtX', '-c', 'BEGIN', '-c', sql, '-c', '\\echo held', '-f', '-'], { stdio: ['pipe', 'pipe', 'ignore'] });
    psql.stdin.on('error', () => {}); // somebody may end its session
    const ended = new Promise((resolve) => psql.on('exit', resolve));
    let said = '';
    psql.stdout.on('data', (part) => { said += part; });
    await until('the lock is held', () => said.includes('held'));
    return () => {
      psql.stdin.end('ROLLBACK;\n');
      return ended;
    };
  }

  async value(sql) {
    const rows = await this.query(sql);
    return rows.length === 0 ? null : rows[0][0];
  }

  // The content of every table that an event may change, as one digest.
  async fingerprint() {
    const tables = ['sluice_inbox', 'sluice_dead_letter', 'billing_customer', 'billing_subscription', 'billing_subscription_item',
      'billing_invoice', 'billing_invoice_line'];
    const parts = tables.map((table) => `(SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM ${table} t)`);
    return this.value(`SELECT ${parts.join(" || ' ' || ")}`);
  }

  async metric(name, port = this.metricsPort) {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const line = text.split('\n').find((one) => one.startsWith(name));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
  }

  // Ends a program that has drained, and reports how it ended: 99 is a sanitizer finding.
  async terminate(child, signal = 'SIGTERM') {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return child.ended;
  }

  // How the programs are and what they said last, for the message of a failure.
  standing() {
    return [this.publisher, this.consumer].filter((child) => child !== undefined)
      .map((child) => `${child.program} ${child.pid} (exit ${child.exitCode}, signal ${child.signalCode}) said last:\n${this.logOf(child).slice(-1500)}`).join('\n');
  }

  // keepVhost: for a broker that has just started. RabbitMQ 3.10 deletes queues whose dead-letter workers are only starting by crashing the
  // workers' supervisor, after which it can declare no such queue any more.
  async stop({ keepVhost = false } = {}) {
    const ends = [];
    for (const child of [this.publisher, this.consumer]) {
      if (child && child.exitCode === null && child.signalCode === null) ends.push([child, await this.terminate(child)]);
      else if (child?.exitCode === 99) ends.push([child, { code: 99, signal: null }]); // a sanitizer's finding, long before the end
    }
    if (!keepVhost) await this.api('DELETE', `/api/vhosts/${this.name}`);
    await run('psql', [this.servers.DATABASE_URL, '-qAtc', `DROP DATABASE IF EXISTS "${this.name}" WITH (FORCE)`]);
    const bad = ends.filter(([, end]) => end.code !== 0);
    if (bad.length > 0) {
      throw new Error(bad.map(([child, end]) => `${child.program} ended with ${end.code ?? end.signal}:\n${this.logOf(child).slice(-4000)}`).join('\n'));
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
