// watch - looks at the publisher all the time: health, liveness, memory, descriptors.
import { readFileSync, readdirSync } from 'node:fs';

const EVERY_MS = 200;
const LOOK_MS = 5000;

export class Watch {
  constructor(stack) {
    this.stack = stack;
    this.looks = []; // {at, health: 'ok'|'degraded'|undefined, live, ms}
    this.rssMax = 0;
    this.fdsMax = 0;
    this.isOn = false;
  }

  start() {
    this.isOn = true;
    this.first = measure(this.stack.publisher.pid);
    this.loop = (async () => {
      while (this.isOn) {
        await this.look();
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      }
    })();
  }

  async stop() {
    this.isOn = false;
    await this.loop;
  }

  async look() {
    const at = Date.now();
    const [health, live] = await Promise.all([this.ask('/health'), this.ask('/livez')]);
    this.looks.push({ at, health: health.body?.status, live: live.status === 200, ms: Math.max(health.ms, live.ms), alive: this.stack.publisher.exitCode === null && this.stack.publisher.signalCode === null });
    const now = measure(this.stack.publisher.pid);
    if (now) {
      this.rssMax = Math.max(this.rssMax, now.rss);
      this.fdsMax = Math.max(this.fdsMax, now.fds);
    }
    return this.looks[this.looks.length - 1];
  }

  async ask(path) {
    const asked = performance.now();
    try {
      const answer = await fetch(this.stack.url + path, { signal: AbortSignal.timeout(LOOK_MS) });
      const text = await answer.text();
      return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : undefined, ms: performance.now() - asked };
    } catch {
      return { status: 0, ms: performance.now() - asked };
    }
  }

  between(from, to) {
    return this.looks.filter((look) => look.at >= from && look.at <= to);
  }
}

// {rss (bytes of anonymous memory), fds, isSanitized} of a process; undefined when it has gone.
export function measure(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
    return { rss: kib('RssAnon') * 1024, fds: readdirSync(`/proc/${pid}/fd`).length, isSanitized: kib('VmSize') > 1 << 30 };
  } catch {
    return undefined;
  }
}
