// ledger.test - the ledger finds what it is there to find.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle, table } from './lib/ledger.mjs';

const event = (id, ...statuses) => ({ id, statuses });

test('an acknowledged event that is nowhere is lost, whatever else it was answered', () => {
  const { numbers, examples } = settle([event('a', 503, 200), event('b', 202), event('c', 200)], new Map([['c', 1]]));
  assert.equal(numbers.lost, 2);
  assert.deepEqual(examples.lost, ['a', 'b']);
});

test('a dead letter or the journal keeps an event as well as the inbox does', () => {
  assert.equal(settle([event('a', 200), event('b', 202)], new Map(), new Set(['a', 'b'])).numbers.lost, 0);
});

test('a refused event may be absent, and is recovered when it is not', () => {
  const { numbers } = settle([event('a', 503), event('b', 0), event('c', 503)], new Map([['c', 1], ['b', 1]]));
  assert.deepEqual([numbers.lost, numbers.refused, numbers.unanswered, numbers.recovered], [0, 2, 1, 2]);
});

test('what was answered stored:false is counted apart', () => {
  const { numbers } = settle([{ id: 'a', statuses: [202], dropped: true }], new Map());
  assert.deepEqual([numbers.lost, numbers.degraded, numbers.dropped], [0, 0, 1]);
});

test('twice in the inbox is applied twice; a stranger is unexpected', () => {
  const { numbers, examples } = settle([event('a', 200)], new Map([['a', 2], ['x', 1]]), new Set(['y']));
  assert.deepEqual([numbers.duplicated, numbers.unexpected], [1, 2]);
  assert.deepEqual(examples.unexpected, ['x', 'y']);
});

test('the table has a line for each scenario, and one for what did not run', () => {
  const text = table([{ id: 'A1', title: 'one', numbers: settle([], new Map()).numbers, verdict: 'held', slowest: 12.4, healed: 3 }, { id: 'A2', title: 'two', verdict: 'skipped' }]);
  assert.equal(text.split('\n').length, 4);
  assert.match(text, /A1 .* 12 +3\.0 +held +one/);
});
