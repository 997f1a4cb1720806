// fanout - five subsystems are fed by the same 10,000 events, at different paces and with some that fail, and each ends complete.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { test, before, after } from 'node:test';
import { Producer } from './lib/producer.mjs';
import { Stack, until } from './lib/stack.mjs';

const EVENTS = Number(process.env.FANOUT_EVENTS ?? 10000);
const names = ['one', 'two', 'three', 'four'];
const subsystems = names.map((name, i) => `
[${name}]
handler = sql
function = ${name}_apply
bindings = shop.#
batch = ${[500, 1, 50, 1000][i]}
workers = ${[1, 2, 1, 1][i]}
backoff = 1s
`).join('') + `
[five]
handler = http
bindings = shop.#
url = $FIVE_URL
secret = FIVE_SECRET
batch = 32
backoff = 1s
`;
// The third refuses one of each thousand for ever, the fourth every hundredth at its first try.
const fault = { one: '', two: '', three: "IF event_id LIKE '%500' THEN RAISE EXCEPTION 'never' USING ERRCODE = 'SLBAD'; END IF;",
  four: "IF event_id LIKE '%00' AND attempt = 1 THEN RAISE EXCEPTION 'not yet' USING ERRCODE = 'SLRTY'; END IF;" };
const sql = names.map((name) => `CREATE TABLE ${name}(id text, n integer);
CREATE FUNCTION ${name}_apply(event_id text, body jsonb, attempt integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN ${fault[name]} INSERT INTO ${name} VALUES (event_id, (body ->> 'n')::integer); END $$;`).join('\n');

let stack;
let producer;
let server;
const posted = new Map();

before(async () => {
  server = http.createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      const id = request.headers['sluice-event-id'];
      posted.set(id, (posted.get(id) ?? 0) + 1);
      response.writeHead(id.endsWith('50') && posted.get(id) === 1 ? 500 : 200).end();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack = await Stack.start('fanout', { subsystems, sql, withPublisher: false,
    consumer: { FIVE_URL: `http://127.0.0.1:${server.address().port}/`, FIVE_SECRET: `whsec_${randomBytes(32).toString('base64')}` } });
  producer = await Producer.connect(stack);
});
after(async () => {
  server?.closeAllConnections();
  server?.close();
  await producer?.close();
  await stack?.stop();
});

test(`each of five subsystems ends complete with ${EVENTS} events`, async () => {
  let publishing = [];
  for (let n = 1; n <= EVENTS; n += 1) {
    publishing.push(producer.publish({ id: `e${n}`, type: 'thing.made', body: { n } }));
    if (n % 500 === 0) await Promise.all(publishing.splice(0));
  }
  await Promise.all(publishing);
  const never = Math.floor((EVENTS + 500) / 1000);
  const done = async () => Object.fromEntries(await stack.query("SELECT subsystem, count(*) FROM sluice_inbox WHERE verdict = 'applied' GROUP BY 1"));
  const expected = { one: EVENTS, two: EVENTS, three: EVENTS - never, four: EVENTS, five: EVENTS };
  await until('all are complete', async () => {
    const counts = await done();
    return Object.entries(expected).every(([name, count]) => Number(counts[name]) === count) || Promise.reject(new Error(JSON.stringify(counts)));
  }, 900000);
  for (const name of names) {
    const [row] = await stack.query(`SELECT count(*), count(DISTINCT id), count(DISTINCT n) FROM ${name}`);
    assert.deepEqual(row, Array(3).fill(String(expected[name])), name);
  }
  assert.equal(posted.size, EVENTS);
  await until('what can never pass is a dead letter, and nothing else', async () =>
    JSON.stringify(await stack.query('SELECT subsystem, count(*) FROM sluice_dead_letter GROUP BY 1')) === JSON.stringify([['three', String(never)]]), 60000);
});
