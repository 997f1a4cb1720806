// D14 - what Postgres cannot hold, under load: U+0000, lone surrogates, bytes that are not UTF-8, numbers beyond every type, nesting beyond its stack; beside them what it
// can hold and programs break: emoji, thirty digits. Through the signed door to the billing tables, and to functions in SQL.
// Expected: each is judged once. Text and jsonb have U+FFFD or null in place of what they cannot hold, the archived bytes and their digest are those that were sent; what no
// column can mean is set aside at its first try. Nobody meets 22P05, 22021 or 22003, and neighbours spend no attempt.
import { createHash, createHmac } from 'node:crypto';
import { consumed } from './lib/applied.mjs';
import { isAccepted } from './lib/load.mjs';
import { neighboursSpendNothing, triesOf } from './lib/tries.mjs';

const WAITS_MS_MAX = 120000;
const CREATED_S = 1700000000;
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// As they stand between the quotes, and as they are read.
const texts = [
  ['a\\u0000b', 'a\ufffdb'],
  ['\\u0000', '\ufffd'],
  ['\\ud800', '\ufffd'],
  ['x\\udc00y', 'x\ufffdy'],
  ['\\udc00\\ud800', '\ufffd\ufffd'],
  ['\\ud83d\\ude00', '\u{1f600}'],
  ['\u{1f600}\u{20000}', '\u{1f600}\u{20000}'],
  ['\\\\u0000', '\\u0000'],
  ['\\ufffd\\uffff', '\ufffd\uffff'],
];
const notUtf8 = ['ff', 'c080', 'eda080', 'f4908080', 'e282', '80', 'fe', '00'].map((hex) => Buffer.from(hex, 'hex'));
const nested = (levels) => '['.repeat(levels) + ']'.repeat(levels);
// As jsonb has them afterwards; null is written as that word.
const values = [
  ['123456789012345678901234567890', '123456789012345678901234567890'],
  ['-0.000000000000000000000000000001', '-0.000000000000000000000000000001'],
  ['1e300', `1${'0'.repeat(300)}`],
  ['1e999999', 'null'],
  ['-1e-999999', 'null'],
  ['9'.repeat(200000), 'null'],
  [nested(100), nested(100)],
  [nested(10000), undefined],
  [nested(400000), undefined],
];
// Which no column of an amount or a time can mean.
const wrongNumbers = [
  { amount_due: '9223372036854775808' }, { amount_due: '1e400' }, { amount_due: '1.5' }, { created: '1e18' }, { created: '99999999999999999999' }, { period_end: '-9223372036854775808' },
];

const sql = `
CREATE TABLE odd(event_id text, text text, value jsonb, is_json boolean, sha256 text);
CREATE FUNCTION odd_apply(event_id text, body jsonb, raw bytea, attempt integer) RETURNS void LANGUAGE sql BEGIN ATOMIC
  INSERT INTO shop_applied VALUES (event_id, attempt);
  INSERT INTO odd VALUES (event_id, body ->> 'text', body -> 'value', body IS NOT NULL, encode(sha256(raw), 'hex'));
END;`;
// How many odd ones there are among the others depends on the machine: breakers are not looked at.
const noBreaker = 'breaker_ratio = 100%\nbreaker_consecutive = 1000\n';
const sections = { billing: noBreaker, shop: noBreaker, more: `\n[odd]\nhandler = sql\nfunction = odd_apply\nbindings = odd.#\nworkers = 2\nbatch = 50\n${noBreaker}` };

await consumed('D14', 'what Postgres cannot hold', { sections, beforeStart: (world) => world.stack.query(sql) }, async (world) => {
  const odd = { wanted: new Map(), metadata: new Map(), sent: new Map() };
  neighboursSpendNothing(world);
  await world.warm();
  await world.fault('odd events');
  for (let round = 0; round < world.ms(5, 50); round += 1) {
    await Promise.all([throughDoor(world, odd, round), toFunctions(world, odd, round)]);
  }
  await world.until('the functions have theirs', async () => Number(await world.stack.value('SELECT count(*) FROM odd')) === odd.wanted.size, WAITS_MS_MAX);
  await world.heal();
  world.atEnd(() => check(world, odd));
});

// To the billing tables.
async function throughDoor(world, odd, round) {
  const sent = [];
  const send = (id, bytes, wanted) => {
    if (wanted !== undefined) world.plant(id, wanted);
    odd.sent.set(id, bytes);
    sent.push(post(world, id, bytes));
  };
  texts.forEach(([text, read], k) => {
    const id = `text${round}_${k}`;
    world.load.expected.push({ customer: [`cus_${id}`, read, read] });
    send(`evt_${id}`, Buffer.from(event(`evt_${id}`, 'customer.created', `{"id":"cus_${id}","object":"customer","name":"${text}","email":"${text}","metadata":{"${text}":"${text}"}}`)));
  });
  values.forEach(([value, read], k) => {
    const id = `value${round}_${k}`;
    world.load.expected.push({ customer: [`cus_${id}`, '', 'Value'] });
    odd.metadata.set(`cus_${id}`, read);
    send(`evt_${id}`, Buffer.from(event(`evt_${id}`, 'customer.created', `{"id":"cus_${id}","object":"customer","name":"Value","metadata":{"value":${value}}}`)));
  });
  wrongNumbers.forEach((numbers, k) => {
    const id = `number${round}_${k}`;
    const fields = Object.entries({ amount_due: '1', created: '1', period_end: '1', ...numbers }).map(([name, number]) => `"${name}":${number}`);
    send(`evt_${id}`, Buffer.from(event(`evt_${id}`, 'invoice.paid', `{"id":"in_${id}","object":"invoice","customer":"cus_${id}","status":"open",${fields}}`)), { class: 'permanent', attempts: 1 });
  });
  notUtf8.forEach((bytes, k) => { // nobody can read an id in it: it is named by its digest, and kept
    const whole = withBytes(event(`evt_bytes${round}_${k}`, 'customer.created', '{"id":"cus_bytes","object":"customer","name":"HERE"}'), bytes);
    send(`sha256:${sha256(whole)}`, whole);
  });
  await Promise.all(sent);
}

function event(id, type, object) {
  return `{"id":"${id}","object":"event","type":"${type}","created":${CREATED_S},"livemode":false,"data":{"object":${object}}}`;
}

function withBytes(text, bytes) {
  const [before, behind] = text.split('HERE');
  return Buffer.concat([Buffer.from(before), bytes, Buffer.from(behind)]);
}

// The sender's package signs text alone; this is the same over bytes.
async function post(world, id, bytes) {
  const recorded = world.load.record(id, bytes);
  await world.until('it is accepted', async () => {
    const t = Math.floor(Date.now() / 1000);
    const v1 = createHmac('sha256', world.stack.secret).update(`${t}.`).update(bytes).digest('hex');
    const { status } = await world.load.post(bytes, `t=${t},v1=${v1}`);
    recorded.statuses.push(status);
    return isAccepted(status);
  });
}

// One that takes jsonb and bytes, and one that takes jsonb alone.
async function toFunctions(world, odd, round) {
  const sent = [];
  const send = (id, source, body, wanted) => {
    const recorded = world.load.record(id, '');
    recorded.hasEffect = true;
    if (source === 'odd') odd.wanted.set(id, { ...wanted, sha256: sha256(body) });
    else if (wanted !== undefined) world.plant(id, wanted);
    sent.push(world.producer.publish({ id, source, type: 'thing.made', body }).then(() => recorded.statuses.push(200)));
  };
  texts.forEach(([text, read], k) => {
    const body = Buffer.from(`{"text":"${text}"}`);
    send(`text${round}_${k}`, 'odd', body, { text: read, isJson: 't' });
    send(`shop_text${round}_${k}`, 'shop', body);
  });
  values.forEach(([value, read], k) => {
    const body = Buffer.from(`{"text":"","value":${value}}`);
    send(`value${round}_${k}`, 'odd', body, { text: '', value: read, isJson: 't' });
    send(`shop_value${round}_${k}`, 'shop', body);
  });
  notUtf8.forEach((bytes, k) => {
    const body = withBytes('{"text":"HERE"}', bytes);
    send(`bytes${round}_${k}`, 'odd', body, { text: '', isJson: 'f' });
    send(`shop_bytes${round}_${k}`, 'shop', body, { class: 'permanent', code: 'json.malformed', attempts: 1 });
  });
  await Promise.all(sent);
}

async function check(world, odd) {
  const { stack } = world;
  const archived = new Map(await stack.query("SELECT event_id, encode(sha256(body), 'hex') FROM sluice_inbox WHERE subsystem = 'billing'"));
  const letters = new Map(await stack.query("SELECT event_id, encode(envelope, 'hex') FROM sluice_dead_letter WHERE subsystem = 'billing'"));
  const bytes = [...odd.sent].filter(([id, sent]) => archived.get(id) !== sha256(sent) && !letters.get(id)?.includes(sent.toString('hex')));
  world.note(`billing: ${odd.sent.size} odd events, ${bytes.length} whose bytes are others than were sent`);
  world.check(bytes.length === 0, `bytes are others than were sent: ${bytes.slice(0, 5).map(([id]) => id)}`);
  const metadata = new Map(await stack.query("SELECT id, metadata -> 'value' FROM billing_customer WHERE name = 'Value'"));
  const values = [...odd.metadata].filter(([id, read]) => read !== undefined && metadata.get(id) !== read);
  world.check(values.length === 0, `metadata that is not as it should be: ${values.slice(0, 5).map(([id, read]) => `${id} ${cut(metadata.get(id))}, not ${cut(read)}`).join('; ')}`);

  const rows = new Map((await stack.query('SELECT event_id, text, value, is_json, sha256 FROM odd')).map(([id, ...rest]) => [id, rest]));
  const wrong = [...odd.wanted].filter(([id, wanted]) => !isAsWanted(rows.get(id), wanted));
  world.note(`functions: ${odd.wanted.size} odd events, ${wrong.length} not as they should be`);
  world.check(wrong.length === 0, `not as they should be: ${wrong.slice(0, 5).map(([id, wanted]) => `${id} ${cut(rows.get(id))}, not ${cut(Object.values(wanted))}`).join('; ')}`);

  const refused = await triesOf(world, "code IN ('22P05', '22021', '22003', '22P02')");
  const replaced = await world.count(/^sluice_text_replaced_total/, stack.consumerPort);
  const retried = await world.count(/^sluice_consumer_deliveries_total\{.*outcome="retried"/, stack.consumerPort);
  world.note(`replaced ${replaced}, refused by Postgres ${refused}, tried again ${retried}`);
  world.check(refused === 0 && retried === 0 && replaced > 0, `replaced ${replaced}, refused by Postgres ${refused}, tried again ${retried}`);
  world.check(stack.linesOf(stack.consumer, 'consumer.held').length === 0, 'a batch was held');
}

function isAsWanted(row, { text, value, isJson, sha256: digest }) {
  return row !== undefined && row[0] === text && (value === undefined || row[1] === value) && row[2] === isJson && row[3] === digest;
}

function cut(value) {
  return String(value).slice(0, 80);
}
