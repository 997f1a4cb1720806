// load - mixed signed traffic that goes on while the fault is there, and a record of every event and every answer.
//
// An open loop: requests are started at a rate, whatever becomes of earlier ones, as the internet does. In the mix: stories of customers (five
// events each, shuffled), types nobody knows, bodies that are no JSON, events sent twice, and requests that must not be let in (wrong key, stale).
// Signed by Stripe's own package. With retry, what was not answered 2xx is sent again, newly signed, until it is.
import { createHash } from 'node:crypto';
import { stories } from '../../integration/lib/events.mjs';
import { Sender, signature } from '../../integration/lib/sender.mjs';

const TICK_MS = 10;
const BLOCK_STORIES = 40;
const IN_FLIGHT_MAX = 300;
const RETRY_PAUSE_MS = 500;
const FOREIGN_KEY = 'whsec_the_key_of_somebody_else_entirely';

// Calls one() at a rate, which may change meanwhile, until the timer it returns is cleared. What a machine that stood still owes is made up for, a quarter of a second of it.
export function paced(rate, one) {
  let owed = 0;
  let last = performance.now();
  return setInterval(() => {
    const now = performance.now();
    owed = Math.min(owed + ((now - last) / 1000) * rate(), rate() / 4);
    last = now;
    for (; owed >= 1; owed -= 1) one();
  }, TICK_MS);
}

export class Load {
  constructor(stack, { rate = 400, seed = 1, retry = true, nonsense = true, connections = IN_FLIGHT_MAX } = {}) {
    this.stack = stack;
    this.rate = rate;
    this.seed = seed;
    this.retry = retry;
    this.nonsense = nonsense;
    this.sender = new Sender(stack, { connections });
    this.events = new Map(); // id -> {body, statuses: [], ...}; authentic only
    this.forged = new Set(); // ids that must never be found anywhere
    this.expected = []; // rows of whole stories
    this.answers = []; // {phase, status, ms, at}
    this.phase = 'before';
    this.inFlight = 0;
    this.heldBack = 0;
    this.sent = 0;
    this.queue = [];
    this.retries = [];
    this.blocks = 0;
    this.start_s = Math.floor(Date.now() / 1000) - 7200;
  }

  start() {
    this.timer = paced(() => this.rate, () => {
      if (this.inFlight < IN_FLIGHT_MAX) this.sendNext();
      else this.heldBack += 1;
    });
  }

  // Starts no new stories; sends the rest of those begun and, with retry, everything again until it is accepted.
  async finish(deadlineMs = 300000) {
    clearInterval(this.timer);
    const end = Date.now() + deadlineMs;
    const open = () => this.inFlight > 0 || this.queue.length > 0 || (this.retry && this.retries.length > 0);
    while (open() && Date.now() < end) {
      while (this.inFlight < 64 && (this.queue.length > 0 || this.retryIsDue())) this.sendNext(true);
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }

  close() {
    clearInterval(this.timer);
    this.sender.close();
  }

  retryIsDue() {
    return this.retry && this.retries.length > 0 && this.retries[0].due <= Date.now();
  }

  sendNext(onlyWhatIsOwed = false) {
    if (this.retryIsDue() && (this.queue.length === 0 || this.sent % 2 === 0)) {
      this.sendAuthentic(this.retries.shift().event);
      return;
    }
    if (this.queue.length === 0 && onlyWhatIsOwed) return;
    if (this.queue.length === 0) this.queue = this.nextBlock();
    const next = this.queue.shift();
    if (next.forged) this.sendForged(next);
    else this.sendAuthentic(next);
  }

  nextBlock() {
    const n = this.blocks;
    this.blocks += 1;
    const run = `${this.stack.name.slice(0, 3)}${n}_`;
    const { events, expected } = stories(run, BLOCK_STORIES, { seed: this.seed * 1000 + n, start: this.start_s });
    this.expected.push(...expected);
    const block = [];
    events.forEach((event, i) => {
      block.push(this.record(event.id, JSON.stringify(event)));
      if (i % 25 === 7) block.push(this.record(`evt_${run}odd${i}`, JSON.stringify({ id: `evt_${run}odd${i}`, object: 'event', type: 'rather.unheard_of', created: this.start_s, data: { object: { id: `odd_${i}` } } })));
      if (this.nonsense && i % 50 === 11) {
        const body = `not json, but authentic: ${run}${i}`;
        block.push(this.record(`sha256:${createHash('sha256').update(body).digest('hex')}`, body));
      }
      if (i % 40 === 13) block.push(block[block.length - 1]); // the same once more, at the same time
      if (i % 20 === 3) {
        const id = `evt_${run}forged${i}`;
        this.forged.add(id);
        block.push({ id, forged: true, stale: i % 40 === 3, body: JSON.stringify({ ...event, id }) });
      }
    });
    return block;
  }

  record(id, body) {
    const event = { id, body, statuses: [], attempts: 0 };
    this.events.set(id, event);
    return event;
  }

  async sendAuthentic(event) {
    event.attempts += 1;
    const answer = await this.post(event.body, signature(this.stack.secret, event.body));
    event.statuses.push(answer.status);
    if (answer.status === 202 && /"stored":false/.test(answer.body)) event.dropped = true;
    if (!isAccepted(answer.status) && !event.statuses.some(isAccepted)) this.retries.push({ due: Date.now() + RETRY_PAUSE_MS, event });
  }

  async sendForged({ body, stale, id }) {
    const header = stale
      ? signature(this.stack.secret, body, { timestamp: Math.floor(Date.now() / 1000) - 3600 })
      : signature(FOREIGN_KEY, body);
    const answer = await this.post(body, header);
    if (isAccepted(answer.status)) this.letIn = [...(this.letIn ?? []), id];
  }

  async post(body, header) {
    this.inFlight += 1;
    this.sent += 1;
    const { phase } = this;
    const asked = performance.now();
    const at = Date.now();
    const answer = await this.sender.post(body, { 'stripe-signature': header });
    this.inFlight -= 1;
    this.answers.push({ phase, status: answer.status, ms: performance.now() - asked, at, error: answer.error?.code ?? answer.error?.message });
    return answer;
  }

  // What was answered in a phase: {count, byStatus, p99, max} of those for which filter holds.
  statistics(phase, filter = () => true) {
    const some = this.answers.filter((one) => one.phase === phase && filter(one));
    const ms = some.map((one) => one.ms).sort((a, b) => a - b);
    const byStatus = {};
    for (const one of some) byStatus[one.status] = (byStatus[one.status] ?? 0) + 1;
    return { count: some.length, byStatus, p99: ms[Math.floor(ms.length * 0.99)] ?? 0, max: ms[ms.length - 1] ?? 0 };
  }
}

export function isAccepted(status) {
  return status >= 200 && status < 300;
}
