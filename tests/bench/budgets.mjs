// budgets - the bars that the product promises to keep, each with the figure that is held against it. Decides only.
const AT_LEAST = { word: '>=', holds: (figure, bar) => figure >= bar };
const AT_MOST = { word: '<=', holds: (figure, bar) => figure <= bar };

// what, name of the figure, the side of the bar, the bar, unit
const BUDGETS = [
  ['receive, confirmed: times the Node peer, 128 connections', 'receive_vs_peer', AT_LEAST, 3, 'x'],
  ['receive, confirmed: of a bare confirm loop, 512 connections', 'receive_vs_bare', AT_LEAST, 0.6, 'of it'],
  ['apply: of a bare libpq loop', 'apply_vs_bare', AT_LEAST, 0.8, 'of it'],
  ['apply: times a per-message Node consumer', 'apply_vs_peer', AT_LEAST, 8, 'x'],
  ['publisher: CPU per event', 'publisher_cpu_us', AT_MOST, 45, 'us'],
  ['consumer: CPU per event', 'consumer_cpu_us', AT_MOST, 80, 'us'],
  ['publisher: CPU of the Node peer over ours', 'publisher_cpu_vs_peer', AT_LEAST, 7, 'x'],
  ['consumer: CPU of the Node peer over ours', 'consumer_cpu_vs_peer', AT_LEAST, 7, 'x'],
  ['publisher: RssAnon under full load', 'publisher_rss_anon_mb', AT_MOST, 12, 'MB'],
  ['consumer: RssAnon under full load', 'consumer_rss_anon_mb', AT_MOST, 32, 'MB'],
  ['consumer: RssAnon with bodies of 1 MB', 'consumer_large_rss_anon_mb', AT_MOST, 32, 'MB'],
  ['publisher: RssAnon at the end over after warming up', 'publisher_rss_growth', AT_MOST, 1.05, 'x'],
  ['consumer: RssAnon at the end over after warming up', 'consumer_rss_growth', AT_MOST, 1.05, 'x'],
  ['500/s: webhook to 200, p99 over a bare confirm', 'latency_answer_p99_vs_bare', AT_MOST, 1.5, 'x'],
  ['500/s: webhook to visible row, p99 over a bare confirm', 'latency_row_p99_vs_bare', AT_MOST, 3, 'x'],
  ['journal at its own interface', 'journal_per_second', AT_LEAST, 50000, '/s'],
  ['journal: 202 a second over 200 a second', 'receive_journal_vs_confirmed', AT_LEAST, 0.8, 'of it'],
  ['publisher: start to ready', 'publisher_start_ms', AT_MOST, 100, 'ms'],
  ['consumer: start to ready', 'consumer_start_ms', AT_MOST, 100, 'ms'],
];

// Memory has its worst round held against the bar, everything else its median.
export function judge(figures) {
  return BUDGETS.filter(([, name]) => name in figures).map(([what, name, side, bar, unit]) => {
    const { median, min, max } = figures[name];
    const figure = name.includes('_rss_') ? max : median;
    return { what, name, bar: `${side.word} ${bar} ${unit}`, figure, min, max, passes: side.holds(figure, bar) };
  });
}
