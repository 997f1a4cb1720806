// receive - CPU per event and memory of both programs while wrk posts signed events at full speed. Prints one table and one line of JSON.
//
// usage: SLUICE_BIN=build/release/bin SLUICE_TEST_ENV=… node tests/bench/receive.mjs [connections] [seconds]
// (tests/bench/run starts the servers.) The load generator, the broker and Postgres share the machine's cores; only the programs' own
// CPU time is counted.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Stack, until } from '../integration/lib/stack.mjs';

const connections = Number(process.argv[2] ?? 128);
const seconds = Number(process.argv[3] ?? 20);
const BODIES = 60000;
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);

// CPU microseconds, user + kernel, and anonymous resident memory of a process.
function usage(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const rss = readFileSync(`/proc/${pid}/status`, 'utf8').match(/RssAnon:\s+(\d+) kB/)[1];
  return { cpuUs: (Number(fields[11]) + Number(fields[12])) * 10000, rssAnonMb: Number(rss) / 1024 };
}

const stack = await Stack.start('bench');
const bodies = path.join(stack.dir, 'bodies');
writeFileSync(bodies, execFileSync('node', [path.join(here, 'signed_bodies.mjs'), stack.secret, String(BODIES)], { maxBuffer: 1 << 30 }));
const before = { publisher: usage(stack.publisher.pid), consumer: usage(stack.consumer.pid) };
const load = JSON.parse(execFileSync('wrk', ['-t2', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', path.join(here, 'webhooks.lua'), stack.url],
  { env: { ...process.env, BODIES: bodies }, maxBuffer: 1 << 24 }).toString().trim().split('\n').at(-1));
const atEnd = { publisher: usage(stack.publisher.pid), consumer: usage(stack.consumer.pid) };
const accepted = await stack.metric('sluice_events_received_total{source="stripe",outcome="accepted"}');
const settled = async () => {
  const outcomes = ['applied', 'duplicate', 'stale', 'ignored'];
  const counts = await Promise.all(outcomes.map((one) => stack.metric(`sluice_consumer_deliveries_total{subsystem="billing",outcome="${one}"}`, stack.consumerPort)));
  return counts.reduce((sum, one) => sum + (one ?? 0), 0);
};
await until('the consumer has settled everything', async () => (await settled()) >= accepted, 300000);
const drained = usage(stack.consumer.pid);
const rows = Number(await stack.value('SELECT count(*) FROM sluice_inbox'));
const result = {
  connections,
  events_per_second: Math.round(load.requests / load.seconds),
  not_2xx: load.not_2xx,
  unanswered: load.unanswered,
  p50_us: load.p50_us,
  p99_us: load.p99_us,
  accepted,
  inbox_rows: rows,
  publisher_cpu_us_per_event: Number(((atEnd.publisher.cpuUs - before.publisher.cpuUs) / accepted).toFixed(1)),
  publisher_rss_anon_mb: Number(atEnd.publisher.rssAnonMb.toFixed(1)),
  consumer_cpu_us_per_event: Number(((drained.cpuUs - before.consumer.cpuUs) / accepted).toFixed(1)),
  consumer_rss_anon_mb: Number(Math.max(atEnd.consumer.rssAnonMb, drained.rssAnonMb).toFixed(1)),
};
console.table(result);
console.log(JSON.stringify(result));
await stack.stop();
