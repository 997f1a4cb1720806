// servers - stop, kill and start the shared private RabbitMQ and Postgres, through `sluice dev` and its state directory.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { serverAddresses } from './stack.mjs';

const run = promisify(execFile);
const sluice = path.join(process.env.SLUICE_BIN ?? '.', 'sluice');

async function dev(...args) {
  const env = { ...process.env, SLUICE_DEV_DIR: serverAddresses().SLUICE_DEV_DIR };
  await run(sluice, ['dev', ...args], { env, timeout: 90000 });
}

export const servers = {
  stop: (name) => dev('stop', name),
  start: (name) => dev('start', name),
  // As a power cut for one server: SIGKILL, and held down until start().
  kill: (name) => dev('kill', name),
};
