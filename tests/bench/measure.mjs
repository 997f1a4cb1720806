// measure - what a process uses and what the machine is busy with, read from /proc; and the few statistics that the bench needs.
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';

const TICK_US = 10000; // USER_HZ is 100 on Linux

// CPU microseconds, user + kernel, and anonymous resident memory of a process.
export function usage(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const rss = readFileSync(`/proc/${pid}/status`, 'utf8').match(/RssAnon:\s+(\d+) kB/);
  return { cpuUs: (Number(fields[11]) + Number(fields[12])) * TICK_US, rssAnonMb: rss === null ? 0 : Number(rss[1]) / 1024 };
}

// What a process uses from now until end(): CPU, and the most anonymous memory seen (ten looks a second).
export class Watch {
  constructor(pid) {
    this.pid = pid;
    this.from = usage(pid);
    this.peakMb = this.from.rssAnonMb;
    this.timer = setInterval(() => this.look(), 100);
  }

  look() {
    try {
      this.peakMb = Math.max(this.peakMb, usage(this.pid).rssAnonMb);
    } catch {
      clearInterval(this.timer); // it has ended
    }
  }

  end() {
    clearInterval(this.timer);
    this.look();
    return { cpuUs: usage(this.pid).cpuUs - this.from.cpuUs, peakMb: this.peakMb };
  }
}

// Share of the machine's CPU that was not idle, since the mark.
export function busyMark() {
  const [user, nice, system, idle, iowait, irq, softirq, steal] = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/).slice(1).map(Number);
  return { busy: user + nice + system + irq + softirq + steal, all: user + nice + system + idle + iowait + irq + softirq + steal };
}

export function busyShare(mark) {
  const now = busyMark();
  return (now.busy - mark.busy) / Math.max(1, now.all - mark.all);
}

export const machine = () => ({ cores: availableParallelism(), loadavg: loadavg().map((one) => Number(one.toFixed(1))) });

export const ticksToUs = (ticks) => ticks * TICK_US;

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// A figure with one sample per round.
export function spread(numbers) {
  return { median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers), rounds: numbers.length };
}

// Ratios of what was measured in the same round.
export const ratios = (above, below) => spread(above.map((one, round) => one / below[round]));
