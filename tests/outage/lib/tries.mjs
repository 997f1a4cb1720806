// tries - who spent an attempt: one failed try of one event is one row, kept for people.

export async function triesOf(world, where) {
  return Number(await world.stack.value(`SELECT count(*) FROM sluice_attempt WHERE ${where}`));
}

// At the end: nobody but those that were planted (and `others`, ids) has spent one.
export function neighboursSpendNothing(world, others = new Set()) {
  world.atEnd(async () => {
    const rows = await world.stack.query('SELECT event_id, subsystem, code, attempt, error FROM sluice_attempt ORDER BY at');
    const neighbours = rows.filter(([id]) => !world.planted.has(id) && !others.has(id));
    world.note(`attempts spent: ${rows.length}, by neighbours ${neighbours.length}`);
    world.check(neighbours.length === 0, `neighbours spent attempts: ${neighbours.slice(0, 5).map((row) => row.join(' ')).join('; ')}`);
  });
}
