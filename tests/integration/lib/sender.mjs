// sender - an independent client: bodies signed by Stripe's own package, posted over keep-alive connections.
import http from 'node:http';
import Stripe from 'stripe';

const stripe = new Stripe('sk_test_unused');
const IDLE_MS = 30000; // well before the publisher closes an idle connection: a request that meets its end gets no answer

export function signature(secret, body, options = {}) {
  return stripe.webhooks.generateTestHeaderString({ payload: body, secret, ...options });
}

export class Sender {
  constructor(stack, { connections = 32, path = '/webhooks/stripe' } = {}) {
    this.stack = stack;
    this.path = path;
    this.connections = connections;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: connections, timeout: IDLE_MS });
  }

  // One POST; resolves with {status, body}, status 0 when there was no answer.
  post(body, headers = {}) {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
    return new Promise((resolve) => {
      const request = http.request(
        {
          host: '127.0.0.1',
          port: this.stack.httpPort,
          method: 'POST',
          path: this.path,
          agent: this.agent,
          headers: { 'content-type': 'application/json', 'content-length': bytes.length, ...headers },
        },
        (answer) => {
          const parts = [];
          answer.on('data', (part) => parts.push(part));
          answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts).toString() }));
          answer.on('error', () => resolve({ status: 0 }));
        },
      );
      request.on('error', (error) => resolve({ status: 0, error }));
      request.setTimeout(60000, () => request.destroy(new Error('no answer within a minute')));
      request.end(bytes);
    });
  }

  signed(body, headers = {}) {
    return this.post(body, { 'stripe-signature': signature(this.stack.secret, body), ...headers });
  }

  // Posts every event (objects), `connections` at a time; each at most once. Returns a Map id -> status.
  async sendAll(events, { onAnswer } = {}) {
    const answers = new Map();
    let next = 0;
    const lane = async () => {
      while (next < events.length) {
        const event = events[next++];
        const answer = await this.signed(JSON.stringify(event));
        answers.set(event.id, answer.status);
        if (onAnswer) await onAnswer(event, answer);
      }
    };
    await Promise.all(Array.from({ length: this.connections }, lane));
    return answers;
  }

  // Posts as Stripe does: again, with a new signature, until a 2xx. Gives up after `deadlineMs`. Returns ids that got a 2xx.
  async deliverAll(events, { deadlineMs = 300000, connections = this.connections } = {}) {
    const end = Date.now() + deadlineMs;
    const accepted = new Set();
    const queue = [...events];
    const ledger = { attempts: 0, refused: 0, unanswered: 0 };
    const lane = async () => {
      for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
        ledger.attempts += 1;
        const answer = await this.signed(JSON.stringify(event));
        if (answer.status >= 200 && answer.status < 300) {
          accepted.add(event.id);
          continue;
        }
        if (answer.status === 0) ledger.unanswered += 1;
        else ledger.refused += 1;
        if (Date.now() > end) throw new Error(`event ${event.id} not accepted before the deadline; last answer ${answer.status} ${answer.error ?? ''}; ${this.stack.standing()}`);
        queue.push(event);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    await Promise.all(Array.from({ length: connections }, lane));
    return { accepted, ledger };
  }

  close() {
    this.agent.destroy();
  }
}
