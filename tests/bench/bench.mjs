// bench - runs the parts of the bench in turn and prints the budgets as a table, then every figure as one line of JSON. See tests/bench/run.
import { parseArgs } from 'node:util';
import { apply } from './apply.mjs';
import { BenchWorld } from './bench_world.mjs';
import { judge } from './budgets.mjs';
import { latency } from './latency.mjs';
import { busyMark, busyShare, machine } from './measure.mjs';
import { receive } from './receive.mjs';
import { soak } from './soak.mjs';
import { journal, start } from './start.mjs';

const parts = { start, receive, apply, latency, journal, soak };

const { values } = parseArgs({ options: {
  short: { type: 'boolean', default: false },
  only: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  events: { type: 'string' },
  soak: { type: 'string' },
} });
const options = {
  short: values.short,
  rounds: Number(values.rounds ?? (values.short ? 1 : 7)),
  seconds: Number(values.seconds ?? (values.short ? 2 : 4)),
  events: Number(values.events ?? (values.short ? 4000 : 10000)),
  soak: Number(values.soak ?? (values.short ? 20000 : 200000)),
};
const chosen = values.only === undefined ? Object.keys(parts) : values.only.split(',');
const unknown = chosen.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`bench: no part named ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`);
  process.exit(64);
}

const idle = busyMark();
await new Promise((resolve) => setTimeout(resolve, 2000));
const before = { ...machine(), busy_without_us: Number(busyShare(idle).toFixed(2)) };
const world = await BenchWorld.start(options);
const figures = {};
try {
  for (const name of chosen) {
    console.error(`bench: ${name} ...`);
    Object.assign(figures, await parts[name](world));
  }
} finally {
  await world.stop().catch((error) => console.error(error.message));
}
report(figures);

function report(all) {
  const short = (number) => Number(number.toPrecision(number >= 1000 ? 5 : 3));
  const rows = Object.entries(all).map(([name, one]) => ({ figure: name, median: short(one.median), min: short(one.min), max: short(one.max) }));
  console.table(rows);
  const budgets = judge(all);
  console.table(budgets.map((one) => ({ budget: one.what, bar: one.bar, figure: short(one.figure), spread: `${short(one.min)} to ${short(one.max)}`,
    verdict: one.passes ? 'pass' : 'MISS' })));
  const after = machine();
  console.log(`${before.cores} cores; before the run others kept ${Math.round(before.busy_without_us * 100)} % of them busy, load ${before.loadavg[0]}; load after it `
    + `${after.loadavg[0]}. ${options.rounds} rounds, legs in turn.`);
  console.log(JSON.stringify({ machine: before, load_after: after.loadavg, options, figures: all, budgets }));
}
