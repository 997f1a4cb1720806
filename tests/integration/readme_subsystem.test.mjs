// readme_subsystem - "Add a subsystem in five minutes" of README.md, done as it stands.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, before, after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Sender } from './lib/sender.mjs';
import { Stack, until } from './lib/stack.mjs';

const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');
const chapter = readme.slice(readme.indexOf('### Add a subsystem in five minutes')).split(/\n### /)[0];
const block = (language) => chapter.match(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's'))[1];
const commands = chapter.split('\n').filter((line) => line.startsWith('    ') && !block('sql').includes(line)).map((line) => line.trim());

let stack;
let sender;

before(async () => {
  stack = await Stack.start('readme', { withConsumer: false });
  sender = new Sender(stack);
});
after(async () => {
  sender?.close();
  await stack?.stop();
});

test('what the chapter says, done word by word, adds a subsystem that counts', async () => {
  assert.equal(commands.at(-1), 'sluice-consumer');
  assert.ok(commands.length >= 4);
  writeFileSync(path.join(stack.dir, 'signups.sql'), block('sql'));
  writeFileSync(path.join(stack.dir, 'subsystems.conf'), block('ini'));
  const script = ['set -euo pipefail', ...commands.slice(0, -1), `exec ${commands.at(-1)}`].join('\n');
  const logFile = path.join(stack.dir, 'consumer.log');
  const log = openSync(logFile, 'a');
  const child = spawn('bash', ['-c', script], { cwd: stack.dir, stdio: ['ignore', log, log],
    env: { ...stack.environment, ...stack.consumerEnvironment, PATH: `${process.env.SLUICE_BIN}:${process.env.PATH}` } });
  child.program = 'sluice-consumer';
  child.logFile = logFile;
  child.ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  stack.consumer = child;
  await until('the consumer is ready', () => stack.isReady(stack.consumerPort, child), 60000);

  for (let n = 0; n < 30; n += 1) {
    const answer = await sender.signed(JSON.stringify({ id: `evt_${n}`, type: 'customer.created', created: 1700000000 + n * 86400 * (n % 2), livemode: false,
      data: { object: { id: `cus_${n}`, object: 'customer', created: 1700000000, name: `Customer ${n}` } } }));
    assert.equal(answer.status, 200);
  }
  await until('both subsystems have all of them', async () =>
    (await stack.value('SELECT sum(n) FROM signups')) === '30' && (await stack.value('SELECT count(*) FROM billing_customer')) === '30');
  assert.equal(await stack.value("SELECT n FROM signups WHERE day = '2023-11-14'"), '15');
});
