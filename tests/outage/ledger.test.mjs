// ledger.test - the ledger finds what it is there to find.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { account } from './lib/applied.mjs';
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

const effect = (id, ...statuses) => ({ id, statuses, hasEffect: true });
const letter = (key, errorClass = 'item', code = 'SLRTY', attempts = 3) => ({ key, class: errorClass, code, attempts });
const behind = ({ inbox = [], effects = [], letters = [] }) => ({ inbox: new Map(inbox), effects: new Map(effects), letters });

test('behind the broker an event is applied with its effect, or set aside as planted', () => {
  const { numbers } = account([event('a', 200), effect('b', 200), event('c', 200), event('d', 503)], new Map([['c', { class: 'item', attempts: 3 }], ['bytes:1', {}]]),
    behind({ inbox: [['a', 1], ['b', 1]], effects: [['b', 1]], letters: [letter('c'), letter('bytes:1', 'decode')] }));
  assert.deepEqual(numbers, { attempted: 5, promised: 4, applied: 2, parked: 2, lost: 0, duplicated: 0, unexpected: 0 });
});

test('a row without its effect is lost, and so is what was promised and is nowhere', () => {
  const { numbers, examples } = account([effect('a', 200), event('b', 200)], new Map([['p', {}]]), behind({ inbox: [['a', 1]] }));
  assert.equal(numbers.lost, 3);
  assert.deepEqual(examples.lost, ['a (rows 1, effects 0)', 'b', 'p']);
});

test('two effects, two letters, or a row and a letter are one too many', () => {
  const { numbers } = account([effect('a', 200), event('b', 200), event('c', 200)], new Map([['b', {}]]),
    behind({ inbox: [['a', 1], ['c', 1]], effects: [['a', 2]], letters: [letter('b'), letter('b'), letter('c')] }));
  assert.deepEqual([numbers.duplicated, numbers.applied, numbers.parked], [3, 0, 0]);
});

test('unexpected: a letter nobody planted, one of another kind, what was planted and applied, a stranger', () => {
  const { numbers, examples } = account([event('a', 200), event('b', 200), event('c', 200)], new Map([['b', { code: '23514' }], ['c', {}]]),
    behind({ inbox: [['c', 1], ['x', 1]], letters: [letter('a'), letter('b')] }));
  assert.equal(numbers.unexpected, 4);
  assert.match(examples.unexpected.join(), /a \(a letter.*b \(a letter item SLRTY after 3, planted undefined 23514.*c \(applied, though planted.*x \(nobody sent it/);
});
