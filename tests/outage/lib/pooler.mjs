// pooler - pgbouncer in front of a test's own database, which has a name for each mode: `session` and `transaction`.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { freePort, until } from '../../integration/lib/stack.mjs';

export const hasPooler = () => spawnSync('sh', ['-c', 'command -v pgbouncer']).status === 0;

export class Pooler {
  // settings: more of its section [pgbouncer].
  static async start(stack, settings = {}) {
    const pooler = new Pooler();
    pooler.direct = new URL(stack.databaseUrl);
    pooler.port = await freePort();
    const { hostname, port, username, password } = pooler.direct;
    const server = `host=${hostname} port=${port} dbname=${stack.name} user=${decodeURIComponent(username)}${password === '' ? '' : ` password=${decodeURIComponent(password)}`}`;
    const all = { listen_addr: '127.0.0.1', listen_port: pooler.port, auth_type: 'any', unix_socket_dir: '', ...settings };
    const dir = path.join(stack.dir, `pooler-${pooler.port}`);
    mkdirSync(dir);
    pooler.ini = path.join(dir, 'pgbouncer.ini');
    writeFileSync(pooler.ini, `[databases]\n${['session', 'transaction'].map((mode) => `${mode} = ${server} pool_mode=${mode}`).join('\n')}\n[pgbouncer]\n${
      Object.entries(all).map(([key, value]) => `${key} = ${value}`).join('\n')}\n`);
    spawnSync('chmod', ['755', stack.dir, dir]); // it refuses to be root
    await pooler.begin();
    return pooler;
  }

  async begin() {
    const isRoot = process.getuid() === 0;
    this.child = spawn(isRoot ? 'setpriv' : 'pgbouncer', isRoot ? ['--reuid=65534', '--regid=65534', '--clear-groups', 'pgbouncer', this.ini] : [this.ini], { stdio: 'ignore' });
    this.ended = new Promise((resolve) => this.child.on('exit', resolve));
    await until('the pooler listens', () => new Promise((resolve) => {
      const socket = net.connect(this.port, '127.0.0.1', () => resolve(socket.destroy() && true)).on('error', () => resolve(false));
    }));
  }

  url(mode) {
    const url = new URL(this.direct);
    url.port = this.port;
    url.pathname = `/${mode}`;
    return url.toString();
  }

  // SIGTERM: at once, as SIGKILL, but it closes what it has open.
  stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    return this.ended;
  }

  async restart(signal) {
    await this.stop(signal);
    await this.begin();
  }
}
