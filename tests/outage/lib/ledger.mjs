// ledger - what was promised against what is there. Pure: no server, no clock.
//
//   attempted      distinct authentic events sent
//   acknowledged   of them, answered 200 at least once
//   degraded       of the others, answered 202 (kept)
//   dropped        of the others, answered 202 with "stored":false: outside the promise
//   refused        of the others, answered at all
//   unanswered     the rest
//   lost           acknowledged or degraded, and in no store
//   recovered      in a store without ever having been answered 2xx: the outcome was unknown to the sender
//   duplicated     in the inbox more than once: applied twice
//   unexpected     in a store, and never sent, or sent without authority

// events: iterable of {id, statuses, dropped}; stored: Map id -> times in the inbox; kept: ids elsewhere (dead letters, queues, journal).
export function settle(events, stored, kept = new Set()) {
  const numbers = { attempted: 0, acknowledged: 0, degraded: 0, dropped: 0, refused: 0, unanswered: 0, lost: 0, recovered: 0, duplicated: 0, unexpected: 0 };
  const examples = { lost: [], duplicated: [], unexpected: [] };
  const note = (what, id) => {
    numbers[what] += 1;
    if (examples[what]?.length < 5) examples[what].push(id);
  };
  const known = new Set();
  for (const event of events) {
    known.add(event.id);
    numbers.attempted += 1;
    const isThere = stored.has(event.id) || kept.has(event.id);
    const promise = promiseOf(event);
    numbers[promise] += 1;
    if ((promise === 'acknowledged' || promise === 'degraded') && !isThere) note('lost', event.id);
    if ((promise === 'refused' || promise === 'unanswered') && isThere) numbers.recovered += 1;
  }
  for (const [id, times] of stored) if (times > 1) note('duplicated', id);
  for (const id of new Set([...stored.keys(), ...kept])) if (!known.has(id)) note('unexpected', id);
  return { numbers, examples };
}

function promiseOf(event) {
  if (event.statuses.includes(200)) return 'acknowledged';
  if (event.statuses.includes(202)) return event.dropped ? 'dropped' : 'degraded';
  return event.statuses.some((status) => status > 0) ? 'refused' : 'unanswered';
}

export const columns = ['attempted', 'acknowledged', 'degraded', 'refused', 'unanswered', 'lost', 'recovered', 'duplicated', 'unexpected'];

export function line(id, title, numbers) {
  return `${id} ${title}: ${columns.map((name) => `${name} ${numbers[name]}`).join(', ')}`;
}

// rows: [{id, title, numbers, verdict, seconds}] as text, one line each, aligned.
export function table(rows) {
  const head = ['scenario', ...columns, 'answers max ms', 'healed s', 'verdict', 'what'];
  const cells = rows.map((row) => [row.id, ...columns.map((name) => String(row.numbers?.[name] ?? '-')), row.slowest === undefined ? '-' : String(Math.round(row.slowest)),
    row.healed === undefined ? '-' : row.healed.toFixed(1), row.verdict, row.title]);
  const widths = head.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i].length)));
  const isText = (i) => i === 0 || i >= head.length - 2;
  const render = (row) => row.map((cell, i) => (isText(i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ').trimEnd();
  return [render(head), render(widths.map((width) => '-'.repeat(width))), ...cells.map(render)].join('\n');
}
