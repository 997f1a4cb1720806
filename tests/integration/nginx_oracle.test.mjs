// nginx_oracle - the same bytes to our door and to nginx: what nginx refuses, we refuse too, and we never see more requests in them than it does.
//
// nginx stands for every server and proxy that a sender or an attacker may have tried their bytes on. It reads bodies whole before it passes them
// on to itself, so that its answer also judges the body. Stricter than nginx is fine; laxer needs a reason, in lib/http_corpus.mjs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { corpus, mutants, OK } from './lib/http_corpus.mjs';
import { talk } from './lib/raw.mjs';
import { freePort, until } from './lib/stack.mjs';

const SEED = Number(process.env.SLUICE_TEST_SEED ?? 20260101);
const MUTANTS = Number(process.env.SLUICE_TEST_MUTANTS ?? 3000);

if (spawnSync('/usr/sbin/nginx', ['-v']).status !== 0) {
  console.error('skipped: nginx is not installed (compose/packages-test.txt)');
  process.exit(77);
}

const dir = mkdtempSync(path.join(tmpdir(), 'sluice-oracle-'));
const port = {};
let nginx;
let publisher;

before(async () => {
  port.nginx = await freePort();
  port.ours = await freePort();
  writeFileSync(path.join(dir, 'nginx.conf'), configuration(port.nginx, path.join(dir, 'behind')));
  nginx = spawn('/usr/sbin/nginx', ['-p', dir, '-c', 'nginx.conf', '-e', path.join(dir, 'error.log')], { stdio: 'ignore' });
  publisher = spawn(path.join(process.env.SLUICE_BIN, 'sluice-publisher'), [], {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: {
      AMQP_URL: 'amqp://guest:guest@127.0.0.1:1', // nothing is published here
      STRIPE_WEBHOOK_SECRET: 'whsec_test_0123456789abcdefghij',
      SLUICE_HTTP_LISTEN: `127.0.0.1:${port.ours}`,
      SLUICE_METRICS_LISTEN: `127.0.0.1:${await freePort()}`,
      SLUICE_STATE_DIR: dir,
      LOG_LEVEL: 'fatal',
    },
  });
  for (const one of [port.nginx, port.ours]) {
    await until('both servers answer', async () => (await talk(one, 'GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n')).answers[0]?.status === OK);
  }
});

after(async () => {
  for (const child of [nginx, publisher]) {
    if (child && child.exitCode === null) {
      const ended = new Promise((resolve) => child.on('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    }
  }
  if (publisher) assert.equal(publisher.exitCode, 0);
  rmSync(dir, { recursive: true, force: true });
});

function configuration(listen, behind) {
  return `
daemon off;
master_process off;
pid ${dir}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  client_max_body_size 1m;
  client_header_buffer_size 16k;
  large_client_header_buffers 4 16k;
  keepalive_requests 10000;
  server {
    listen unix:${behind};
    return ${OK};
  }
  server {
    listen 127.0.0.1:${listen};
    location / {
      proxy_pass http://unix:${behind};
      proxy_request_buffering on;
      proxy_ignore_client_abort on;
    }
  }
}
`;
}

// How many requests a server has understood, up to the first that it refused.
async function understood(where, bytes) {
  const { answers } = await talk(where, bytes);
  const statuses = answers.map((answer) => answer.status).filter((status) => status >= 200);
  const refused = statuses.findIndex((status) => status !== OK);
  return { count: refused < 0 ? statuses.length : refused, statuses };
}

// Runs check over all rows, so many at a time.
async function each(rows, check, width = 16) {
  const queue = [...rows];
  await Promise.all(Array.from({ length: width }, async () => {
    for (let row = queue.shift(); row !== undefined; row = queue.shift()) await check(row);
  }));
}

test('of the corpus, we accept nothing that nginx refuses, save what is listed with a reason', async () => {
  const laxer = [];
  await each(corpus, async (row) => {
    const ours = await understood(port.ours, row.bytes);
    const theirs = await understood(port.nginx, row.bytes);
    assert.deepEqual(ours.statuses, row.statuses, row.name);
    const isLaxer = ours.count > theirs.count;
    if (isLaxer && !row.reason) laxer.push(`${row.name}: ours ${ours.statuses}, nginx ${theirs.statuses}`);
    if (!isLaxer && row.reason) laxer.push(`${row.name}: has a reason, but nginx accepts it too (${theirs.statuses})`);
  });
  assert.deepEqual(laxer, []);
});

// What nginx refuses or ends by a rule of its own, each harmless where paths and methods are only ever compared.
const known = [
  { why: 'nginx knows methods as A-Z, _ and -', is: (text) => requestLines(text).some((line) => !/^[A-Z_-]+ /.test(line)) },
  { why: 'nginx resolves dots and refuses to leave the root', is: (text) => requestLines(text).some((line) => /^\S+ [^?\s]*(\.|%2e)/i.test(line)) },
  { why: 'nginx decodes paths and refuses an encoded NUL', is: (text) => requestLines(text).some((line) => /^\S+ [^?\s]*%00/.test(line)) },
  { why: 'nginx has no TRACE and no CONNECT', is: (text) => requestLines(text).some((line) => /^(TRACE|CONNECT) /.test(line)) },
  { why: 'nginx does not know a tab as white space around a value (RFC 9110 section 5.6.3)', is: (text) => /^(host|content-length):[^\r\n]*\t/im.test(text) },
  { why: 'nginx takes "close" for an option of Connection wherever it stands', is: (text) => /^connection:.*close/im.test(text) && !/^connection:([^\r]*,)?\s*close\s*(,|$)/im.test(text) },
];
const requestLines = (text) => text.split('\r\n').filter((line) => / HTTP\/1\.[01]$/.test(line));

test(`of ${MUTANTS} mutants (seed ${SEED}), we accept nothing that nginx refuses`, async () => {
  const laxer = [];
  let accepted = 0;
  await each(mutants(SEED, MUTANTS), async (row) => {
    const ours = await understood(port.ours, row.bytes);
    if (ours.count === 0) return;
    accepted += 1;
    const theirs = await understood(port.nginx, row.bytes);
    if (ours.count <= theirs.count) return;
    const text = row.bytes.toString('latin1');
    if (!known.some((rule) => rule.is(text))) laxer.push({ name: row.name, bytes: text, ours: ours.statuses, nginx: theirs.statuses });
  });
  assert.ok(accepted > MUTANTS / 20, `only ${accepted} mutants were accepted: the comparison says nothing`);
  assert.deepEqual(laxer, []);
});
