// scenario - one fault, injected under load into a world of its own, and the ledger after it.
//
//   scenario(id, title, options, async (world) => { await world.warm(); await world.fault(…); await world.hold(ms); await world.heal(…); })
//
// What every scenario is held to, whatever the fault (options switch off what its fault makes meaningless):
//   INV-1  no event that was answered 2xx is lost                        INV-2  none is applied twice; every row of every story is right
//   INV-3  nothing forged or stale is in any store                       INV-4  every answer within 5 s; memory and descriptors bounded
//   INV-5  no secret, signature or body in a log                         INV-6  normal service within twice the longest back-off, unaided
//   INV-7  the counters add up to what the sender saw                    INV-8  /health tells the truth; /livez stays up
// Ends the process: 0 held, 1 violated, 77 cannot run here.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { wrongRows } from '../../integration/lib/events.mjs';
import { asShipped, Stack, serverAddresses, until } from '../../integration/lib/stack.mjs';
import { Broker } from './broker.mjs';
import { FaultProxy } from './faultproxy.mjs';
import { isAccepted, Load } from './load.mjs';
import { line, settle } from './ledger.mjs';
import { measure, Watch } from './watch.mjs';

export const isLong = process.env.TEST_LONG === '1';
const ANSWER_MS_MAX = 5000; // DESIGN: deadline for any answer
const HEAL_MS_MAX = 60000; // twice the longest back-off
const DEGRADED_MS_MAX = 15000; // a missed confirm (2 s), and room for a busy machine; without it two heartbeats would be missed first (20 s)
const DRAIN_MS_MAX = 120000;
const RSS_GROWTH_MAX = { sanitized: 256 << 20, plain: 48 << 20 };
const FDS_GROWTH_MAX = 340; // the load's connections and a few
const FDS_LEAK_MAX = 4;

const defaults = {
  proxy: false, // put the fault proxy between publisher and broker
  degrades: true, // the fault must show in /health, until it is healed
  flaps: false, // /health may say ok in between
  publisher: {},
  consumer: true,
  rate: 400,
  connections: undefined, // of the load; default: as many as it may have in flight
  retry: true,
  nonsense: true, // among the load bodies that are no JSON
  mayCutConnections: false, // the publisher itself is killed: senders see no answer
  deadlineMs: ANSWER_MS_MAX,
  healMs: HEAL_MS_MAX,
  warmMs: 1500,
  needs: undefined, // async (), before anything is started: calls skip() when the scenario cannot run here
  subsystems: undefined, // text of a subsystems file
  servers: undefined, // async (world), before everything: other servers than the shared ones (Stack.start)
  beforeStart: undefined, // async (world), when there are stack and proxy but no publisher yet: returns more environment for it
  startsDegraded: false, // the publisher cannot be ready before the fault is healed
  accounting: true,
};

class Skip extends Error {}

class World {
  constructor(id, title, options) {
    Object.assign(this, { id, title, options, isLong, problems: [], undo: [], undoAfterAll: [], notes: [], last: [] });
  }

  // A violation that does not end the scenario; the rest is still worth knowing.
  check(isTrue, sentence) {
    if (!isTrue) this.problems.push(sentence);
    return isTrue;
  }

  note(sentence) {
    this.notes.push(sentence);
  }

  // Runs at the end, last first, whatever happens.
  cleanup(fn) {
    this.undo.push(fn);
  }

  // As cleanup, but when the programs have ended too.
  cleanupAfterAll(fn) {
    this.undoAfterAll.push(fn);
  }

  // Runs when everything has arrived, before the programs are stopped.
  atEnd(fn) {
    this.last.push(fn);
  }

  // The same wait in the short and in the long form.
  ms(short, long) {
    return isLong ? long : short;
  }

  async start() {
    const { options } = this;
    const environment = {
      ASAN_OPTIONS: 'abort_on_error=0:exitcode=99:detect_leaks=1:quarantine_size_mb=8',
      ...asShipped,
      ...(knows('SLUICE_JOURNAL_ALLOW_VOLATILE') ? { SLUICE_JOURNAL_ALLOW_VOLATILE: 'true' } : {}),
      ...options.publisher,
    };
    this.stack = await Stack.start(this.id.toLowerCase(), { publisher: environment, withPublisher: false, withConsumer: false, subsystems: options.subsystems, servers: await options.servers?.(this) });
    this.broker = new Broker(this.stack);
    if (options.proxy) {
      this.proxy = await FaultProxy.start(Number(this.stack.servers.STACK_AMQP_PORT));
      this.stack.publisherEnvironment.AMQP_URL = this.brokerAt(this.proxy.port);
    }
    Object.assign(this.stack.publisherEnvironment, await options.beforeStart?.(this));
    if (options.consumer) await this.stack.startConsumer();
    if (options.startsDegraded) {
      this.stack.spawnPublisher();
      await until('the publisher lives', async () => (await fetch(`${this.stack.url}/livez`)).status === 200);
    } else {
      await this.stack.startPublisher();
    }
    this.pid = this.stack.publisher.pid;
    this.watch = new Watch(this.stack);
    this.watch.start();
    this.load = new Load(this.stack, { connections: options.connections, rate: options.rate, retry: options.retry, nonsense: options.nonsense, seed: Number(process.env.SLUICE_OUTAGE_SEED ?? 1) });
    this.load.start();
  }

  // AMQP_URL of this world's virtual host by way of another port, host or login.
  brokerAt(port, { host, protocol, user, password } = {}) {
    const url = new URL(this.stack.amqpUrl);
    url.port = port;
    if (host) url.hostname = host;
    if (user) url.username = user;
    if (password) url.password = password;
    return protocol ? url.toString().replace(/^amqp:/, protocol) : url.toString();
  }

  hold(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  // Fault-free load first: a scenario whose load never worked shows nothing.
  async warm() {
    await this.hold(this.options.warmMs);
    await until('the load is being acknowledged', () => this.load.statistics('before').byStatus[200] > 50);
  }

  async fault(what, fn) {
    this.load.phase = 'fault';
    this.faultAt = Date.now();
    this.faultName = what;
    await fn?.();
    this.faultMadeAt = Date.now(); // the broker's own tool takes seconds to start where much else is going on
  }

  // Ends the fault, then waits for normal service.
  async heal(fn) {
    this.healStartedAt = Date.now();
    await fn?.();
    this.healedAt = Date.now();
    this.load.phase = 'after';
    await until('normal service', async () => (await this.watch.ask('/health')).body?.status === 'ok', this.options.healMs + 30000).catch((error) => this.check(false, `INV-6 ${error.message}`));
    this.healSeconds = (Date.now() - this.healedAt) / 1000;
    this.check(this.healSeconds * 1000 <= this.options.healMs, `INV-6 normal service only after ${this.healSeconds.toFixed(1)} s`);
    await this.hold(1000); // and some load on the healed world
  }

  metric(name) {
    return this.stack.metric(name);
  }

  // The sum of all series of a program whose line matches.
  async count(pattern, port = this.stack.metricsPort) {
    return sumOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(), pattern);
  }

  // Deliveries that the consumer knew already.
  duplicates() {
    return this.count(/^sluice_consumer_deliveries_total\{.*outcome="duplicate"/, this.stack.consumerPort);
  }

  // While the fault is there and known, an answer costs no wait for the broker: it comes from the policy, and nothing is given to the broker first.
  async checkNobodyWaits() {
    if (!(await this.until('/health says degraded', async () => (await this.watch.ask('/health')).body?.status === 'degraded'))) return;
    const settled = () => this.count(/^sluice_publish_total\{/);
    const stretch = async () => {
      const [before, from] = [await settled(), Date.now()];
      const kept = () => this.load.answers.filter((one) => one.status === 202 && one.at >= from).map((one) => one.ms).sort((a, b) => a - b);
      await until('events are kept', () => kept().length > 100);
      return { ms: kept(), given: (await settled()) - before };
    };
    // What was on its way when the fault came is settled by its deadline; from then on nothing is.
    let last;
    await this.until('a hundred events are kept, and nothing is given to the broker', async () => {
      last = await stretch();
      return last.given === 0 || this.options.flaps;
    });
    if (last !== undefined) this.note(`${last.ms.length} events kept in a stretch of it, median ${Math.round(last.ms[last.ms.length >> 1])} ms`);
  }

  until(what, check, deadlineMs) {
    return until(what, check, deadlineMs).catch((error) => this.check(false, error.message));
  }

  // No event is set aside for what was the broker's or a queue's trouble.
  async checkNoPoison() {
    const folder = path.join(this.stack.dir, 'journal', 'poison');
    const count = existsSync(folder) ? readdirSync(folder).length : 0;
    this.check(count === 0, `${count} events were moved to poison/`);
  }

  // Ids of the events in poison/, as an operator sees them.
  async setAside() {
    if (!existsSync(path.join(this.stack.dir, 'journal', 'poison'))) return [];
    return JSON.parse(await this.stack.sluice('journal', 'list', '--poison', '-o', 'json')).map((one) => one.id);
  }

  // What was answered 200 is applied, whatever is wrong with publishing.
  async acknowledgedHaveArrived(sentence) {
    const missing = async () => {
      const [stored, kept] = [await this.stored(), await this.kept()];
      return [...this.load.events.values()].filter((event) => event.statuses.includes(200) && !stored.has(event.id) && !kept.has(event.id)).length;
    };
    await until('every acknowledged event is applied', async () => (await missing()) === 0, 20000).catch(async () => this.check(false, `${sentence}: ${await missing()} acknowledged events are not applied`));
  }

  // Lines of the publisher's log, parsed; `event` filters.
  log(event) {
    return this.stack.logOf(this.stack.publisher).split('\n').filter((one) => one.startsWith('{')).map((one) => JSON.parse(one)).filter((one) => event === undefined || one.event === event);
  }

  async stored() {
    const rows = await this.stack.query('SELECT event_id, count(*) FROM sluice_inbox GROUP BY 1');
    return new Map(rows.map(([id, times]) => [id, Number(times)]));
  }

  async kept() {
    const letters = await this.stack.query('SELECT DISTINCT event_id FROM sluice_dead_letter WHERE event_id IS NOT NULL');
    return new Set([...letters.map(([id]) => id), ...(await this.setAside())]);
  }

  // Until everything promised has arrived and nothing is on its way.
  async drain() {
    const { load } = this;
    const promised = () => [...load.events.values()].filter((event) => event.statuses.some(isAccepted) && !event.dropped);
    let missing = -1;
    try {
      await until('the journal is empty', async () => ((await this.metric('sluice_journal_events')) ?? 0) === 0, DRAIN_MS_MAX);
      await until('what was promised has arrived', async () => {
        const [stored, kept] = [await this.stored(), await this.kept()];
        missing = promised().filter((event) => !stored.has(event.id) && !kept.has(event.id)).length;
        if (missing > 0) await this.hold(400);
        return missing === 0;
      }, DRAIN_MS_MAX);
      await until('the queues are empty', async () => (await this.broker.messages()) === 0, 30000);
    } catch (error) {
      this.check(false, `not drained: ${error.message}; ${missing} promised events are missing`);
    }
  }

  async settle() {
    const { load, watch, options, stack } = this;
    await load.finish();
    this.check(load.inFlight === 0, `${load.inFlight} requests are still open`);
    load.close();
    await this.drain();
    await watch.stop();
    for (const fn of this.last) await fn();

    const { numbers, examples } = settle(load.events.values(), await this.stored(), await this.kept());
    this.numbers = numbers;
    this.check(numbers.lost === 0, `INV-1 lost: ${examples.lost.join(' ')}`);
    this.check(numbers.duplicated === 0, `INV-2 applied twice: ${examples.duplicated.join(' ')}`);
    this.check(numbers.unexpected === 0, `INV-3 unexpected: ${examples.unexpected.join(' ')}`);
    this.check(load.letIn === undefined, `INV-3 let in: ${load.letIn}`);
    const entered = [...(await this.stored()).keys()].filter((id) => load.forged.has(id));
    this.check(entered.length === 0, `INV-3 forged events are stored: ${entered.slice(0, 5)}`);
    if (options.retry) {
      const open = [...load.events.values()].filter((event) => !event.statuses.some(isAccepted)).length;
      this.check(open === 0, `${open} events were never accepted`);
      if (open === 0 && options.consumer && numbers.dropped === 0 && !options.rowsMayDiffer) {
        const wrong = await wrongRows(stack, load.expected);
        this.check(wrong.length === 0, `INV-2 ${wrong.length} wrong rows: ${wrong.slice(0, 3).join('; ')}`);
      }
    }
    await this.checkAnswers();
    this.checkHealth();
    await this.checkResources();
    if (options.accounting && stack.publisher.pid === this.pid) await this.checkAccounting();
    this.checkLogs();
  }

  async checkAnswers() {
    const { load, options } = this;
    const answered = load.answers.filter((one) => one.status > 0);
    this.slowest = answered.reduce((most, one) => Math.max(most, one.ms), 0);
    if (options.deadlineMs === ANSWER_MS_MAX) {
      // By the publisher's clock: the sender's also counts how long this machine takes to tell it.
      const took = (limit) => this.count(new RegExp(`^sluice_http_request_duration_seconds_${limit}`));
      const late = (await took('count\\{route="webhook"\\}')) - (await took('bucket\\{route="webhook",le="5"\\}'));
      this.check(late === 0, `INV-4 ${late} answers took more than ${ANSWER_MS_MAX} ms; the slowest, as its sender saw it, ${Math.round(this.slowest)} ms`);
    } else {
      this.check(this.slowest <= options.deadlineMs, `INV-4 the slowest answer took ${Math.round(this.slowest)} ms`);
    }
    const none = load.answers.filter((one) => one.status === 0);
    if (!options.mayCutConnections) this.check(none.length === 0, `INV-4 ${none.length} requests got no answer (${none[0]?.error})`);
    const denied = [...load.events.values()].filter((event) => event.statuses.some((status) => status >= 400 && status < 500));
    this.check(denied.length === 0, `${denied.length} authentic events were answered 4xx: ${denied.slice(0, 5).map((event) => event.id)}`);
    const odd = answered.filter((one) => ![200, 202, 400, 503].includes(one.status));
    this.check(odd.length === 0, `${odd.length} answers were ${odd[0]?.status}`);
    this.check((load.statistics('before').byStatus[200] ?? 0) > 0 || options.startsDegraded, 'nothing was acknowledged before the fault');
    this.check((load.statistics('after').byStatus[200] ?? 0) > 0, 'nothing was acknowledged after the fault');
  }

  checkHealth() {
    const { watch, options } = this;
    const dead = watch.looks.filter((look) => look.alive && !look.live);
    const inARow = watch.looks.filter((look, i) => i > 0 && dead.includes(look) && dead.includes(watch.looks[i - 1])).length; // once is a busy machine
    if (!options.mayCutConnections) this.check(inARow === 0, `INV-8 /livez failed ${dead.length} times`);
    if (!options.degrades || this.faultAt === undefined) return;
    const during = watch.between(this.faultAt, this.healStartedAt ?? Date.now()).filter((look) => look.health !== undefined);
    const first = during.findIndex((look) => look.health === 'degraded');
    if (!this.check(first >= 0, 'INV-8 /health never said degraded')) return;
    this.degradedAfter = Math.max(0, during[first].at - this.faultMadeAt);
    this.check(this.degradedAfter <= (options.degradedWithinMs ?? DEGRADED_MS_MAX), `INV-8 /health said degraded only after ${this.degradedAfter} ms`);
    if (!options.flaps) this.check(during.slice(first).every((look) => look.health === 'degraded'), 'INV-8 /health said ok while the fault was there');
  }

  async checkResources() {
    const { watch, stack } = this;
    const limit = watch.first.isSanitized ? RSS_GROWTH_MAX.sanitized : RSS_GROWTH_MAX.plain;
    this.check(watch.rssMax - watch.first.rss <= limit, `INV-4 memory grew by ${(watch.rssMax - watch.first.rss) >> 20} MiB`);
    this.check(watch.fdsMax - watch.first.fds <= FDS_GROWTH_MAX, `INV-4 ${watch.fdsMax} descriptors`);
    if (stack.publisher.pid !== this.pid) return;
    const room = watch.first.fds + FDS_LEAK_MAX;
    await until('descriptors are given back', () => measure(this.pid).fds <= room, 15000)
      .catch(() => this.check(false, `INV-4 ${measure(this.pid)?.fds} descriptors at the end, ${watch.first.fds} at the start`));
  }

  async checkAccounting() {
    const text = await (await fetch(`http://127.0.0.1:${this.stack.metricsPort}/metrics`)).text();
    const count = (pattern) => sumOf(text, pattern);
    const outcome = (...names) => count(new RegExp(`^sluice_events_received_total\\{source="stripe",outcome="(${names.join('|')})"\\}`));
    const seen = (status) => this.load.answers.filter((one) => one.status === status).length;
    const answers = this.load.answers.filter((one) => one.status > 0).length;
    // A sender that has gone away has not seen an answer that was given, and counted, all the same.
    const agrees = (counted, told) => (this.options.mayCutConnections ? counted >= told : counted === told);
    const received = count(/^sluice_events_received_total\{/);
    this.check(agrees(received, answers), `INV-7 received ${received}, answered ${answers}`);
    this.check(agrees(outcome('accepted'), seen(200)), `INV-7 accepted ${outcome('accepted')}, 200s ${seen(200)}`);
    this.check(agrees(outcome('journaled', 'dropped'), seen(202)), `INV-7 journaled ${outcome('journaled')}, 202s ${seen(202)}`);
    this.check(agrees(outcome('bad_signature', 'stale', 'malformed'), seen(400)), `INV-7 not authentic ${outcome('bad_signature', 'stale')}, 400s ${seen(400)}`);
    this.check(agrees(outcome('unavailable', 'late', 'overloaded', 'draining', 'disabled'), seen(503)), `INV-7 refused ${outcome('unavailable', 'overloaded')}, 503s ${seen(503)}`);
    const replayed = count(/^sluice_journal_replayed_total /);
    const pending = count(/^sluice_journal_events /);
    const aside = count(/^sluice_journal_poisoned_total /);
    const late = (kept) => count(new RegExp(`^sluice_events_late_total\\{kept="${kept}"\\}`)); // answered 503, kept all the same
    this.check(replayed + pending + aside === outcome('journaled') + late('journal'), `INV-7 journaled ${outcome('journaled')} and late ${late('journal')}, replayed ${replayed}, pending ${pending}, set aside ${aside}`);
    const confirmed = count(/^sluice_publish_total\{outcome="confirmed"\}/);
    this.check(confirmed === outcome('accepted') + late('broker') + replayed, `INV-7 confirmed ${confirmed}, accepted ${outcome('accepted')}, late ${late('broker')}, replayed ${replayed}`);
    this.check(count(/^sluice_publish_inflight /) === 0, 'INV-7 publishes are still in flight');
  }

  checkLogs() {
    const password = new URL(this.stack.amqpUrl).password;
    for (const child of [this.stack.publisher, this.stack.consumer]) {
      if (!child) continue;
      const log = this.stack.logOf(child);
      for (const [what, pattern] of [['the signing secret', this.stack.secret], ['a password', password], ['a signature', /v1=[0-9a-f]{16}/], ['an address', /customer\d+@example\.com/], ['a body', /xxxxxxxxxxxxxxxx|"object":"event"|not json, but authentic/]]) {
        this.check(typeof pattern === 'string' ? !log.includes(pattern) : !pattern.test(log), `INV-5 ${what} is in the log of ${child.program}`);
      }
      this.check(!/AddressSanitizer|runtime error|LeakSanitizer/.test(log), `a sanitizer finding in the log of ${child.program}:\n${/.*(AddressSanitizer|runtime error|LeakSanitizer)(.*\n){0,20}/.exec(log)?.[0]}`);
    }
  }

  async end() {
    this.load?.close();
    await this.watch?.stop();
    for (const fn of this.undo.reverse()) await fn().catch((error) => this.problems.push(`cleanup: ${error.message}`));
    if (this.stack && this.problems.length > 0) this.keepLogs();
    await this.stack?.stop().catch((error) => this.problems.push(error.message));
    await this.proxy?.stop().catch((error) => this.problems.push(error.message));
    for (const fn of this.undoAfterAll.reverse()) await fn().catch((error) => this.problems.push(`cleanup: ${error.message}`));
  }

  keepLogs() {
    for (const child of [this.stack.publisher, this.stack.consumer]) {
      if (child && existsSync(child.logFile)) writeFileSync(path.join(resultsDir(), `${this.id}.${child.program}.log`), readFileSync(child.logFile));
    }
  }
}

function sumOf(metrics, pattern) {
  return metrics.split('\n').filter((one) => pattern.test(one)).reduce((sum, one) => sum + Number(one.slice(one.lastIndexOf(' ') + 1)), 0);
}

function resultsDir() {
  const dir = process.env.SLUICE_OUTAGE_RESULTS ?? path.join(process.env.SLUICE_BIN ?? '.', '..', 'outage');
  mkdirSync(dir, { recursive: true });
  return dir;
}

let help;
// Whether the publisher has a configuration key.
export function knows(key) {
  help ??= execFileSync(path.join(process.env.SLUICE_BIN, 'sluice-publisher'), ['--help'], { encoding: 'utf8' });
  return help.includes(key);
}

export function skip(reason) {
  throw new Skip(reason);
}

function report(world, verdict, started) {
  const { id, title, numbers } = world;
  const result = { id, title, numbers, verdict, slowest: world.slowest, healed: world.healSeconds, degradedAfter: world.degradedAfter, seconds: (Date.now() - started) / 1000, problems: world.problems, notes: world.notes };
  writeFileSync(path.join(resultsDir(), `${id}.json`), JSON.stringify(result, null, 2));
  if (numbers) console.log(line(id, title, numbers));
  if (world.load) {
    for (const phase of ['before', 'fault', 'after']) {
      const { count, byStatus, p99, max } = world.load.statistics(phase);
      console.log(`  ${phase.padEnd(6)} ${String(count).padStart(6)} requests  ${JSON.stringify(byStatus)}  p99 ${Math.round(p99)} ms, max ${Math.round(max)} ms`);
    }
    if (world.load.heldBack > 0) console.log(`  ${world.load.heldBack} requests held back by the sender's own limit`);
  }
  for (const sentence of world.notes) console.log(`  ${sentence}`);
  for (const sentence of world.problems) console.log(`  VIOLATED ${sentence}`);
  console.log(`  ${verdict} in ${result.seconds.toFixed(1)} s${world.healSeconds === undefined ? '' : `, healed after ${world.healSeconds.toFixed(1)} s`}${world.degradedAfter === undefined ? '' : `, degraded after ${world.degradedAfter} ms`}`);
}

export async function scenario(id, title, options, body) {
  serverAddresses(); // ends with 77 without servers
  const started = Date.now();
  const world = new World(id, title, { ...defaults, ...options });
  let verdict = 'held';
  try {
    await options.needs?.();
    await world.start();
    await body(world);
    await world.settle();
  } catch (error) {
    if (error instanceof Skip) {
      verdict = `skipped: ${error.message}`;
    } else {
      world.problems.push(error.stack);
    }
  }
  await world.end();
  if (world.problems.length > 0) verdict = 'VIOLATED';
  report(world, verdict, started);
  process.exit(verdict === 'held' ? 0 : verdict === 'VIOLATED' ? 1 : 77);
}
