// servers - kill, stop and start the shared private RabbitMQ and Postgres, whose supervisor is `sluice dev --servers`.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { serverAddresses, until } from './stack.mjs';

const run = promisify(execFile);
const sluice = path.join(process.env.SLUICE_BIN ?? '.', 'sluice');
const directory = () => serverAddresses().SLUICE_DEV_DIR;

const TOOL_MS = 300000; // no claim: a broker's tool needs a minute to start on a busy machine

async function dev(...args) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, SLUICE_DEV_DIR: directory() };
  const running = run(sluice, ['dev', ...args], { env, timeout: TOOL_MS });
  const { stdout } = await running;
  // rabbitmqctl takes SIGTERM for a wish to end well, and exits 0 with nothing done.
  if (running.child.killed) throw new Error(`sluice dev ${args.join(' ')}: not over within ${TOOL_MS} ms`);
  return stdout;
}

async function status(name) {
  const { stdout } = await run(sluice, ['dev', 'status', '-o', 'json'], { env: { PATH: process.env.PATH, HOME: process.env.HOME, SLUICE_DEV_DIR: directory() } })
    .catch((error) => error); // exit status 1: something is not ready
  return JSON.parse(stdout).find((one) => one.name === name);
}

// The broker is a tree of processes, each with its directory in the environment; Postgres is one process and its children.
async function processesOf(name) {
  if (name === 'postgres') {
    const { pid } = await status(name);
    return [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)];
  }
  const mark = `STACK_DIR=${path.join(directory(), name)}\0`;
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
    } catch {
      return false; // it has gone, or is not ours
    }
  }).map(Number);
}

export const servers = {
  // SIGSTOP for all its processes; resolves with a function that lets them go on.
  async freeze(name) {
    const pids = await processesOf(name);
    if (pids.length === 0) throw new Error(`no process of ${name} found`);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    return () => pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
  },
  rabbitmqctl: (...args) => dev('rabbitmqctl', ...args),
  stop: (name) => dev('stop', name),
  start: (name) => dev('start', name),
  // As a power cut for one server. Its supervisor starts it again; resolves when it serves.
  async kill(name) {
    const { starts } = await status(name);
    const pids = await processesOf(name);
    if (pids.length === 0) throw new Error(`no process of ${name} found`);
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error; // its parent's end was its own
      }
    }
    await until(`${name} serves again`, async () => {
      const now = await status(name);
      return now.starts > starts && now.state === 'ready';
    }, 600000);
  },
};
