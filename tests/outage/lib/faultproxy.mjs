// faultproxy - starts the fault proxy of tests/support and speaks with it.
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { freePort } from '../../integration/lib/stack.mjs';

const program = process.env.SLUICE_FAULTPROXY ?? path.join(process.env.SLUICE_BIN ?? '.', '..', 'tests', 'faultproxy');

export class FaultProxy {
  // A proxy on a free port in front of 127.0.0.1:targetPort. The port stays its own when it is down.
  static async start(targetPort) {
    const proxy = new FaultProxy();
    proxy.child = spawn(program, [String(await freePort()), String(targetPort)], { stdio: ['pipe', 'pipe', 'inherit'] });
    proxy.waiting = [];
    const lines = readline.createInterface({ input: proxy.child.stdout });
    const first = await new Promise((resolve, reject) => {
      proxy.child.once('error', reject);
      proxy.child.once('exit', () => reject(new Error(`${program} ended before it listened`)));
      lines.once('line', resolve);
    });
    proxy.port = Number(/^listening 127\.0\.0\.1:(\d+)$/.exec(first)[1]);
    lines.on('line', (line) => proxy.waiting.shift()?.(line));
    proxy.ended = new Promise((resolve) => proxy.child.on('exit', (code, signal) => resolve({ code, signal })));
    return proxy;
  }

  // Sends one command; fails when the proxy does not take it.
  async tell(command) {
    const answer = await new Promise((resolve) => {
      this.waiting.push(resolve);
      this.child.stdin.write(`${command}\n`);
    });
    if (answer.startsWith('error')) throw new Error(`faultproxy: ${answer}`);
    return answer;
  }

  async stats() {
    return JSON.parse(await this.tell('stats'));
  }

  async stop() {
    this.child.stdin.end();
    const end = await this.ended;
    if (end.code !== 0) throw new Error(`faultproxy ended with ${end.code ?? end.signal}`);
  }
}
