// peer_consumer - the usual consumer in Node: amqplib and pg, one transaction per message, several at a time. Acknowledges after COMMIT.
//
// usage: AMQP_URL=… DATABASE_URL=… node peer_consumer.mjs
// Writes what ours writes for customer.created: the inbox row with the received bytes, and the customer.
import amqplib from 'amqplib';
import pg from 'pg';

const AT_ONCE = 10;
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: AT_ONCE });
const connection = await amqplib.connect(process.env.AMQP_URL);
const channel = await connection.createChannel();
await channel.prefetch(AT_ONCE);

const claim = { name: 'claim', text: `INSERT INTO sluice_inbox (subsystem, account, livemode, event_id, occurred_at, source, type, object, received_at, verdict, body)
  VALUES ('billing', '', $1, $2, to_timestamp($3), 'stripe', $4, $5, now(), 'applied', $6) ON CONFLICT DO NOTHING` };
const upsert = { name: 'upsert', text: `INSERT INTO billing_customer AS b (account, livemode, id, email, name, phone, description, balance, currency, delinquent,
    tax_exempt, preferred_locales, invoice_prefix, metadata, created, src_created, src_phase, src_event_id)
  VALUES ('', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, to_timestamp($14), to_timestamp($15), 1, $16)
  ON CONFLICT (account, livemode, id) DO UPDATE SET email = excluded.email, name = excluded.name, phone = excluded.phone,
    description = excluded.description, balance = excluded.balance, currency = excluded.currency, delinquent = excluded.delinquent,
    tax_exempt = excluded.tax_exempt, preferred_locales = excluded.preferred_locales, invoice_prefix = excluded.invoice_prefix,
    metadata = excluded.metadata, created = excluded.created, src_created = excluded.src_created, src_phase = excluded.src_phase,
    src_event_id = excluded.src_event_id
  WHERE (excluded.src_created, excluded.src_phase) >= (b.src_created, b.src_phase)` };

async function apply(message) {
  const event = JSON.parse(message.content);
  const customer = event.data.object;
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const { rowCount } = await client.query({ ...claim,
      values: [event.livemode, event.id, event.created, event.type, customer.id, message.content] });
    if (rowCount === 1) {
      await client.query({ ...upsert, values: [event.livemode, customer.id, customer.email, customer.name, customer.phone, customer.description,
        customer.balance, customer.currency, customer.delinquent, customer.tax_exempt, JSON.stringify(customer.preferred_locales),
        customer.invoice_prefix, JSON.stringify(customer.metadata), customer.created, event.created, event.id] });
    }
    await client.query('COMMIT');
    channel.ack(message);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  } finally {
    client.release();
  }
}

await channel.consume('bench.peer', apply);
