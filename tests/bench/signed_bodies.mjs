// signed_bodies - writes `count` distinct signed events of about 3.2 KB for wrk, as "<signature>\t<body>" lines.
// usage: node signed_bodies.mjs SECRET COUNT > FILE
import { createHmac, randomBytes } from 'node:crypto';

const [secret, count] = [process.argv[2], Number(process.argv[3])];
const run = randomBytes(4).toString('hex');
const t = Math.floor(Date.now() / 1000);
const filler = 'x'.repeat(2300);
for (let n = 0; n < count; n += 1) {
  const customer = { id: `cus_${run}${n}`, object: 'customer', created: t, email: `customer${n}@example.com`, name: `Customer ${n}`, description: filler,
    address: null, balance: 0, currency: 'eur', delinquent: false, discount: null, invoice_prefix: `P${n}`, invoice_settings: { custom_fields: null,
      default_payment_method: null, footer: null, rendering_options: null }, livemode: false, metadata: { order: `${n}`, plan: 'standard' },
    phone: null, preferred_locales: ['en'], shipping: null, tax_exempt: 'none', test_clock: null };
  const body = JSON.stringify({ id: `evt_${run}${n}`, object: 'event', api_version: '2025-08-27.basil', created: t, data: { object: customer }, livemode: false,
    pending_webhooks: 1, request: { id: null, idempotency_key: null }, type: 'customer.created' });
  const mac = createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
  process.stdout.write(`t=${t},v1=${mac}\t${body}\n`);
}
