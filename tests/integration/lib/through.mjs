// through - load that goes on from before a fault until after it, through the signed door, and its ledger: stories of customers, shuffled, some sent twice, beside odd and
// forged ones (tests/outage/lib/load.mjs).
import assert from 'node:assert/strict';
import { settle } from '../../outage/lib/ledger.mjs';
import { isAccepted, Load } from '../../outage/lib/load.mjs';
import { wrongRows } from './events.mjs';
import { until } from './stack.mjs';

const RATE = 150;
const SOME = 50; // accepted before the fault, while it is there, and after it: a load that stood still shows nothing

// fault(load): when it resolves, the fault is over. Resolves when the ledger is right.
export async function goOnThrough(stack, name, fault, { rate = RATE, seed = 5, deadlineMs = 180000 } = {}) {
  const load = new Load(stack, { rate, seed, connections: 64 });
  const accepted = (phase) => load.answers.filter((answer) => answer.phase === phase && isAccepted(answer.status)).length;
  try {
    load.start();
    await until('it is accepted', () => accepted('before') >= SOME, 60000);
    load.phase = 'fault';
    await fault(load);
    load.phase = 'after';
    await until('it is accepted after the fault', () => accepted('after') >= SOME, 60000);
    await load.finish(deadlineMs);
  } finally {
    load.close();
  }
  const count = (what) => stack.value(`SELECT count(*) FROM ${what}`).then(Number);
  await until('every event is in the inbox', async () => (await count('sluice_inbox')) >= load.events.size, deadlineMs);
  await until('nothing waits in the broker', () => stack.isBrokerEmpty(), 60000);
  const stored = new Map((await stack.query('SELECT event_id, count(*) FROM sluice_inbox GROUP BY 1')).map(([id, rows]) => [id, Number(rows)]));
  const { numbers, examples } = settle(load.events.values(), stored);
  const phases = ['before', 'fault', 'after'].map((phase) => accepted(phase));
  console.log(`${name}: attempted ${numbers.attempted}, answered 2xx ${numbers.acknowledged + numbers.degraded} (before, during and after the fault ${phases.join(', ')}), once more ${acceptedAgain(load)}, `
    + `applied ${stored.size}, lost ${numbers.lost}, duplicated ${numbers.duplicated}, unexpected ${numbers.unexpected}, parked ${await count('sluice_dead_letter')}, `
    + `attempts spent ${await count('sluice_attempt')}, broker empty`);
  assert.deepEqual(examples, { lost: [], duplicated: [], unexpected: [] });
  assert.equal(numbers.acknowledged + numbers.degraded, numbers.attempted);
  assert.ok(phases[1] >= SOME, `${phases[1]} events were accepted while the fault was there`);
  assert.deepEqual(await wrongRows(stack, load.expected), []);
}

// How often an event was accepted that had been accepted before: so many deliveries are known ones whatever happens.
function acceptedAgain(load) {
  return [...load.events.values()].reduce((sum, { statuses }) => sum + Math.max(0, statuses.filter(isAccepted).length - 1), 0);
}

// Some more events are applied.
export async function appliesMore(stack) {
  const count = () => stack.value('SELECT count(*) FROM sluice_inbox').then(Number);
  const before = await count();
  await until('it applies events', async () => (await count()) > before);
}
