// signed_bodies - writes distinct signed events, customer.created of about `bytes` (3200), as "<signature>\t<body>" lines.
//
// The id of event n of a file is evt_<8 hex digits of this file><n>.
// usage: writeSignedBodies(file, secret, count[, bytes])
import { createHmac, randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';

const FIXED_BYTES = 900; // of an event without its description

// Compresses about as well as a real event does: a third of it is ids and such, the rest words that come again.
function text(bytes) {
  const line = 'a subscription schedule with its phases, items and prices; ';
  let filler = '';
  while (filler.length < bytes) filler += line + randomBytes(16).toString('hex');
  return filler.slice(0, bytes);
}

export function writeSignedBodies(file, secret, count, bytes = 3200) {
  const run = randomBytes(4).toString('hex');
  const t = Math.floor(Date.now() / 1000);
  const filler = text(Math.max(0, bytes - FIXED_BYTES));
  const out = openSync(file, 'w');
  let lines = '';
  for (let n = 0; n < count; n += 1) {
    const customer = { id: `cus_${run}${n}`, object: 'customer', created: t, email: `customer${n}@example.com`, name: `Customer ${n}`, description: filler,
      address: null, balance: 0, currency: 'eur', delinquent: false, discount: null, invoice_prefix: `P${n}`, invoice_settings: { custom_fields: null,
        default_payment_method: null, footer: null, rendering_options: null }, livemode: false, metadata: { order: `${n}`, plan: 'standard' },
      phone: null, preferred_locales: ['en'], shipping: null, tax_exempt: 'none', test_clock: null };
    const body = JSON.stringify({ id: `evt_${run}${n}`, object: 'event', api_version: '2025-08-27.basil', created: t, data: { object: customer }, livemode: false,
      pending_webhooks: 1, request: { id: null, idempotency_key: null }, type: 'customer.created' });
    const mac = createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
    lines += `t=${t},v1=${mac}\t${body}\n`;
    if (lines.length > 1 << 20 || n + 1 === count) {
      writeSync(out, lines);
      lines = '';
    }
  }
  closeSync(out);
  return file;
}
