// fake_stripe - a small Stripe to talk to: events and objects in memory, Stripe's own list rules, errors and slow answers on demand.
//
//   const stripe = await FakeStripe.start();      stripe.url, stripe.key
//   stripe.addEvents(events)                      listed newest first; of one second, the later added is the newer
//   stripe.fail({ path: '/v1/events', status: 429, times: 2, retryAfter: 1, delayMs: 0 })
//   stripe.listMax = 10                           how many items or lines an object carries; the rest is on further pages
//   stripe.requests                               what was asked: { method, path, query, body, account, idempotencyKey, version, key }
//
// Rules: docs.stripe.com/api/pagination, /errors, /idempotent_requests, /connect/authentication. The official package reads it: fake_stripe.test.mjs.
import http from 'node:http';
import { randomBytes } from 'node:crypto';

const LIST_MAX = 100;

function errorOf(type, message, more = {}) {
  return { error: { type, message, doc_url: 'https://stripe.com/docs/error-codes', ...more } };
}

// "a[b][c]=1" as { a: { b: { c: '1' } } }; "a[]=1" as { a: ['1'] }.
export function parseForm(text) {
  const result = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const keys = [name.replace(/\[.*$/, ''), ...[...name.matchAll(/\[([^\]]*)\]/g)].map((match) => match[1])];
    let at = result;
    keys.forEach((key, i) => {
      const isLast = i === keys.length - 1;
      if (isLast && key === '') at.push(value);
      else if (isLast) at[key] = value;
      else at = at[key] ??= keys[i + 1] === '' || /^\d+$/.test(keys[i + 1]) ? [] : {};
    });
  }
  return result;
}

const badEmail = (email) => ({ status: 400, body: errorOf('invalid_request_error', `Invalid email address: ${email}`, { code: 'email_invalid', param: 'email' }) });

// What a form cannot say: "" is null, "true" is true.
const typed = (form) => Object.fromEntries(Object.entries(form).map(([name, value]) => [name, value === '' ? null : value === 'true' ? true : value === 'false' ? false : value]));

const compare = { gte: (a, b) => a >= b, gt: (a, b) => a > b, lte: (a, b) => a <= b, lt: (a, b) => a < b };
const within = (created, things) => things.filter((one) => Object.entries(created ?? {}).every(([how, at]) => compare[how](one.created, Number(at))));

export class FakeStripe {
  static async start({ key = `sk_test_${randomBytes(16).toString('hex')}` } = {}) {
    const stripe = new FakeStripe();
    Object.assign(stripe, { key, events: [], objects: new Map(), requests: [], faults: [], idempotent: new Map(), sequence: 0, listMax: Infinity, readOnlyKeys: new Set(), restricted: new Map() });
    stripe.server = http.createServer((request, response) => stripe.#take(request, response));
    await new Promise((resolve) => { stripe.server.listen(0, '127.0.0.1', resolve); });
    stripe.port = stripe.server.address().port;
    stripe.url = `http://127.0.0.1:${stripe.port}`;
    return stripe;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => { this.server.close(resolve); });
  }

  addEvents(events) {
    for (const event of events) {
      this.events.push({ ...event, sequence: this.sequence });
      this.sequence += 1;
    }
    this.events.sort((a, b) => b.created - a.created || b.sequence - a.sequence);
  }

  // kind: customers, subscriptions, invoices, invoice_payments, webhook_endpoints; thin: events of /v2/core/events
  put(kind, object, account = '') {
    this.objects.set(`${account}/${kind}/${object.id}`, object);
  }

  // A key that may read these kinds only: rk_test_…, ['events'].
  restrict(key, kinds) {
    this.restricted.set(key, kinds);
  }

  fail({ path, status = 500, times = 1, retryAfter, delayMs = 0, body }) {
    this.faults.push({ path, status, times, retryAfter, delayMs, body });
  }

  async #take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url, this.url);
    const asked = {
      method: request.method,
      path: url.pathname,
      query: parseForm(url.search.slice(1)),
      body: parseForm(Buffer.concat(chunks).toString()),
      account: request.headers['stripe-account'] ?? '',
      idempotencyKey: request.headers['idempotency-key'],
      version: request.headers['stripe-version'],
      key: (request.headers.authorization ?? '').replace(/^Bearer /, ''),
    };
    this.requests.push(asked);
    const answer = (status, body, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', 'request-id': `req_${this.requests.length}`, date: new Date().toUTCString(), ...headers });
      response.end(JSON.stringify(body));
    };
    const fault = this.faults.find((one) => one.times > 0 && asked.path.startsWith(one.path));
    if (fault) {
      fault.times -= 1;
      if (fault.delayMs) await new Promise((resolve) => { setTimeout(resolve, fault.delayMs).unref(); });
      if (fault.status === 0) return request.socket.destroy();
      if (fault.status !== 200) {
        return answer(fault.status, fault.body ?? errorOf('api_error', 'Something went wrong on our side.'), fault.retryAfter ? { 'retry-after': String(fault.retryAfter) } : {});
      }
    }
    const { key } = asked;
    if (key !== this.key && !this.readOnlyKeys.has(key) && !this.restricted.has(key)) return answer(401, errorOf('invalid_request_error', `Invalid API Key provided: ${key.slice(0, 8)}****`));
    if (this.readOnlyKeys.has(key) && asked.method !== 'GET') {
      return answer(403, errorOf('invalid_request_error', `The provided key '${key.slice(0, 8)}****' does not have the required permissions for this endpoint.`, { code: 'secret_key_required' }));
    }
    const kind = asked.path.split('/')[2];
    if (this.restricted.has(key) && !(asked.method === 'GET' && this.restricted.get(key).includes(kind))) {
      const scope = `rak_${kind.replace(/_endpoints$/, '').replace(/s$/, '')}_${asked.method === 'GET' ? 'read' : 'write'}`;
      return answer(403, errorOf('invalid_request_error', `The provided key '${key.slice(0, 8)}****' does not have the required permissions for this endpoint on account 'acct_1Fake'. Having the '${scope}' permission would allow this request to continue.`, { code: 'more_permissions_required' }));
    }
    if (asked.idempotencyKey) {
      const known = this.idempotent.get(asked.idempotencyKey);
      if (known) return answer(known.status, known.body, { 'idempotent-replayed': 'true' });
    }
    const { status, body } = this.#answer(asked);
    if (asked.idempotencyKey && asked.method === 'POST') this.idempotent.set(asked.idempotencyKey, { status, body });
    return answer(status, body);
  }

  #answer(asked) {
    const [, version, kind, id, verb] = asked.path.split('/');
    if (version === 'v2' && kind === 'core') return this.#thin(asked, verb);
    if (version !== 'v1') return { status: 404, body: errorOf('invalid_request_error', `Unrecognized request URL (${asked.method}: ${asked.path}).`) };
    if (kind === 'events') return this.#events(asked, id);
    if (kind === 'subscription_items' && !id) return this.#inner(asked, `${asked.account}/subscriptions/${asked.query.subscription}`, 'items');
    if (asked.method === 'GET' && !id) {
      const page = this.#list(asked, this.#objectsOf(asked, kind));
      if (page.status === 200) page.body.data = page.body.data.map((one) => this.#shown(one));
      return page;
    }
    if (asked.method === 'POST' && !id) return this.#create(asked, kind);
    const name = `${asked.account}/${kind}/${decodeURIComponent(id)}`;
    const object = this.objects.get(name);
    if (!object) return { status: 404, body: errorOf('invalid_request_error', `No such ${kind.replace(/s$/, '')}: '${decodeURIComponent(id)}'`, { code: 'resource_missing', param: 'id' }) };
    if (verb === 'lines') return this.#inner(asked, name, 'lines');
    if (asked.method === 'GET') return { status: 200, body: this.#shown(object) };
    if (asked.method === 'DELETE' || verb === 'cancel') {
      if (kind === 'subscriptions') {
        if (object.status === 'canceled') return { status: 404, body: errorOf('invalid_request_error', `No such subscription: '${object.id}'`, { code: 'resource_missing', param: 'id' }) };
        const now = Math.floor(Date.now() / 1000);
        Object.assign(object, { status: 'canceled', canceled_at: now, ended_at: now });
        return { status: 200, body: object };
      }
      this.objects.delete(name);
      return { status: 200, body: { id: object.id, object: object.object, deleted: true } };
    }
    if (asked.body.email && !asked.body.email.includes('@')) return badEmail(asked.body.email);
    Object.assign(object, typed(asked.body));
    return { status: 200, body: structuredClone(object) };
  }

  // What one object carries of its lists.
  #shown(object) {
    const place = { subscription: 'items', invoice: 'lines' }[object.object];
    const list = object[place];
    if (!list || list.data.length <= this.listMax) return object;
    return { ...object, [place]: { ...list, has_more: true, data: list.data.slice(0, this.listMax) } };
  }

  #inner(asked, name, place) {
    const object = this.objects.get(name);
    if (!object) return { status: 404, body: errorOf('invalid_request_error', `No such object: '${name}'`, { code: 'resource_missing' }) };
    return this.#list(asked, object[place].data);
  }

  // The thin event whole, with its data.
  #thin(asked, id) {
    const event = this.objects.get(`${asked.account}/thin/${id}`);
    return event ? { status: 200, body: event } : { status: 404, body: errorOf('invalid_request_error', `No such event: '${id}'`, { code: 'resource_missing' }) };
  }

  #create(asked, kind) {
    if (kind !== 'customers') return { status: 404, body: errorOf('invalid_request_error', `Unrecognized request URL (POST: ${asked.path}).`) };
    if (asked.body.email && !asked.body.email.includes('@')) {
      return badEmail(asked.body.email);
    }
    const object = { id: `cus_${randomBytes(7).toString('hex')}`, object: 'customer', created: Math.floor(Date.now() / 1000), livemode: false, metadata: {}, ...typed(asked.body) };
    this.objects.set(`${asked.account}/${kind}/${object.id}`, object);
    return { status: 200, body: structuredClone(object) };
  }

  // As Stripe lists them: newest first; subscriptions that have ended only with status=all.
  #objectsOf(asked, kind) {
    const { created, status } = asked.query;
    return within(created, [...this.objects].filter(([name]) => name.startsWith(`${asked.account}/${kind}/`)).map(([, object]) => object))
      .filter((one) => kind !== 'subscriptions' || status === 'all' || one.status !== 'canceled')
      .sort((a, b) => (b.created ?? 0) - (a.created ?? 0));
  }

  #events(asked, id) {
    const mine = this.events.filter((event) => (event.account ?? '') === asked.account);
    const shown = (event) => { const { sequence, delivered, ...rest } = event; return rest; };
    if (id) {
      const event = mine.find((one) => one.id === id);
      return event ? { status: 200, body: shown(event) } : { status: 404, body: errorOf('invalid_request_error', `No such event: '${id}'`, { code: 'resource_missing' }) };
    }
    const { created, type, types, delivery_success: delivered } = asked.query;
    let found = within(created, mine);
    const wanted = types ?? (type ? [type] : null);
    if (wanted) found = found.filter((event) => wanted.includes(event.type));
    if (delivered !== undefined) found = found.filter((event) => String(event.delivered ?? true) === delivered);
    const answer = this.#list(asked, found);
    if (answer.status === 200) answer.body.data = answer.body.data.map(shown);
    return answer;
  }

  // Newest first; starting_after walks back in time, ending_before forward.
  #list(asked, found) {
    const { limit = '10', starting_after: after, ending_before: before } = asked.query;
    const count = Number(limit);
    if (!(count >= 1 && count <= LIST_MAX)) return { status: 400, body: errorOf('invalid_request_error', 'Invalid integer: limit', { param: 'limit' }) };
    let from = 0;
    let to = found.length;
    if (after || before) {
      const place = found.findIndex((one) => one.id === (after ?? before));
      if (place < 0) return { status: 400, body: errorOf('invalid_request_error', `No such object: '${after ?? before}'`, { code: 'resource_missing' }) };
      if (after) from = place + 1;
      else to = place;
    }
    const data = before ? found.slice(Math.max(0, to - count), to) : found.slice(from, from + count);
    const hasMore = before ? to - count > 0 : from + count < to;
    return { status: 200, body: { object: 'list', url: asked.path, has_more: hasMore, data } };
  }
}
