// requeue - events published again from the tables they come from: only to their own subsystem, only once, only those of the time that is asked for.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import { Stack, until } from './lib/stack.mjs';

const subsystems = `
[jobs]
handler = sql
function = job_apply
bindings = *.job.#
requeue_query = SELECT 'job-' || id AS event_id, kind AS type, payload AS body, at, at AS occurred_at FROM source_job WHERE NOT is_done

[timed]
handler = sql
function = other_apply
bindings = *.job.#
requeue_query = SELECT 'timed-' || id AS event_id, 'job.timed' AS type, payload AS body FROM source_job WHERE at >= $1 AND at < $2

[again]
handler = sql
function = other_apply
bindings = nothing.at.all
requeue_query = SELECT event_id FROM sluice_inbox WHERE subsystem = 'jobs' UNION SELECT 'nobody'

[wrong]
handler = sql
function = other_apply
bindings = nothing.at.all
requeue_query = SELECT id FROM no_such_table

[writes]
handler = sql
function = other_apply
bindings = nothing.at.all
requeue_query = SELECT take_all() AS event_id

[none]
handler = sql
function = other_apply
bindings = nothing.at.all
`;

const sql = `
CREATE TABLE source_job(id integer PRIMARY KEY, kind text, payload jsonb, at timestamptz, is_done boolean DEFAULT false);
INSERT INTO source_job SELECT n, 'job.asked', jsonb_build_object('n', n, 'name', 'ä'), now() - n * interval '10 minutes' FROM generate_series(1, 5) n;
CREATE TABLE applied(subsystem text, id text, body jsonb, occurred_at timestamptz);
CREATE FUNCTION job_apply(event_id text, body jsonb, occurred_at timestamptz) RETURNS void LANGUAGE sql AS $$ INSERT INTO applied VALUES ('jobs', event_id, body, occurred_at) $$;
CREATE FUNCTION take_all() RETURNS text LANGUAGE sql AS $$ DELETE FROM source_job RETURNING id::text $$;
CREATE FUNCTION other_apply(event_id text, body jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO applied VALUES ('other', event_id, body, NULL) $$;
`;

let stack;

before(async () => {
  stack = await Stack.start('requeue', { subsystems, sql, withPublisher: false });
});
after(() => stack?.stop());

// {code, rows, err}, whatever it exits with.
async function requeue(...args) {
  const asJson = [...args, '-o', 'json'];
  try {
    return { code: 0, rows: JSON.parse(await stack.sluice('requeue', ...asJson)), err: '' };
  } catch (error) {
    return { code: error.code, rows: error.stdout ? JSON.parse(error.stdout) : [], err: error.stderr };
  }
}
const applied = async (subsystem) => Number(await stack.value(`SELECT count(*) FROM applied WHERE subsystem = '${subsystem}'`));
const states = (rows) => rows.map((row) => row.state);

test('without --yes the plan is shown and nothing is published; --from and --to bound it', async () => {
  const plan = await requeue('jobs');
  assert.deepEqual([plan.code, states(plan.rows)], [2, Array(5).fill('to publish')], plan.err);
  const some = await requeue('jobs', '--from', '25m');
  assert.deepEqual(some.rows.map((row) => row.event).sort(), ['job-1', 'job-2']);
  const early = await requeue('jobs', '--to', '35m');
  assert.deepEqual(early.rows.map((row) => row.event).sort(), ['job-4', 'job-5']);
  assert.deepEqual((await requeue('timed', '--from', '25m')).rows.length, 2);
  assert.equal(await applied('jobs'), 0);
});

test('with --yes each is applied once, by its own subsystem alone; what it has dealt with is left out', async () => {
  const first = await requeue('jobs', '--limit', '2', '--yes');
  assert.deepEqual([first.code, states(first.rows)], [0, ['published', 'published']], first.err);
  await until('they are applied', async () => (await applied('jobs')) === 2);
  const rest = await requeue('jobs', '--yes');
  assert.deepEqual([rest.code, states(rest.rows).sort()], [0, ['known', 'known', 'published', 'published', 'published']], rest.err);
  await until('all are applied', async () => (await applied('jobs')) === 5);
  const again = await requeue('jobs', '--yes');
  assert.deepEqual([again.code, states(again.rows)], [0, Array(5).fill('known')]);
  assert.equal(await applied('other'), 0);
  assert.equal(await stack.value("SELECT string_agg(body ->> 'name', '' ORDER BY id) FROM applied"), 'äääää');
  assert.equal(await stack.value('SELECT count(*) FROM applied a JOIN source_job s ON a.id = \'job-\' || s.id AND a.occurred_at = date_trunc(\'second\', s.at)'), '5');
});

test('what is incomplete is named, and is no success; what the archive cannot complete is incomplete', async () => {
  const again = await requeue('again', '--yes');
  assert.equal(again.code, 3, again.err);
  assert.ok(states(again.rows).includes('incomplete'));
  assert.match(again.err, /must yield event_id, type and body/);
});

test('mistakes are named: no such section, no query, a query that fails', async () => {
  const unknown = await requeue('job');
  assert.equal(unknown.code, 64);
  assert.match(unknown.err, /jobs/);
  assert.match((await requeue('none')).err, /\[none\] has no requeue_query/);
  assert.match((await requeue('writes')).err, /read-only/);
  const wrong = await requeue('wrong');
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.err, /requeue_query of \[wrong\].*no_such_table/);
});
