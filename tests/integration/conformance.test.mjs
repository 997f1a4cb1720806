// conformance - every published case of how a signature is judged, decided by the shipped check (`sluice verify`, the code the publisher runs) and, where
// the sender's own library can decide the case, by that library too: where the two differ, the row says so and why.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import Stripe from 'stripe';
import { Webhook } from 'standardwebhooks';
import { sign as githubSign, verify as githubVerify } from '@octokit/webhooks-methods';

const stripe = new Stripe('sk_test_unused');
const dir = mkdtempSync(path.join(tmpdir(), 'sluice-conformance-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const T = 1700000000;
const S = 'whsec_test_secret';
const ROLLED = `${S}_rolled_key`;
const B = '{\n  "id": "evt_test_webhook",\n  "object": "event"\n}';
const hex = (secret, text, body) => createHmac('sha256', secret).update(text).update('.').update(body).digest('hex');
const v = (body, { t = T, secret = S } = {}) => hex(secret, String(t), body);
const V1 = v(B);

let files = 0;
async function judge(source, secrets, { header, body, now, tolerance = '300s', timestamp, id }) {
  const bodyFile = path.join(dir, `body-${++files}`);
  const secretFile = path.join(dir, `secret-${files}`);
  writeFileSync(bodyFile, body);
  writeFileSync(secretFile, secrets);
  const args = ['verify', bodyFile, '--source', source, '--header', header, '--secret-file', secretFile, '--tolerance', tolerance, '-o', 'json'];
  if (now !== undefined) args.push('--now', String(now));
  if (timestamp !== undefined) args.push('--timestamp', timestamp);
  if (id !== undefined) args.push('--id', id);
  const out = await new Promise((resolve, reject) => {
    execFile(path.join(process.env.SLUICE_BIN, 'sluice'), args, { env: { PATH: process.env.PATH, HOME: dir } }, (error, stdout, stderr) => {
      if (error && error.code !== 1) reject(new Error(`${args.join(' ')}: ${error.code}\n${stderr}`));
      else resolve(stdout);
    });
  });
  return JSON.parse(out);
}

// What stripe-node decides about the signature alone; what it makes of the JSON behind a right signature is another question.
function byStripe(row) {
  try {
    stripe.webhooks.signature.verifyHeader(row.body, row.header, row.secret ?? S, row.toleranceS ?? 300, undefined, (row.now ?? T + 10) * 1000);
    return true;
  } catch {
    return false;
  }
}

// The vectors of the official tests: what is signed must come out byte for byte, also from the package.
const vectors = [
  ['V1', T, B, S, '4f1cd7feda9826e746b7d482c4badebb657398df1099e1046364f6196a230150'],
  ['V2', 12345, B, S, '2672d138c9a412830f3bfe2ecc5bfb3277cf6f5b49d0119d77dd6cb64da1257e'],
  ['V3', T, B, ROLLED, 'dc80d0334b78e0dbbc3d5352c151a428b746163b94ad381096bb293b9e650f1e'],
  ['V4 empty', T, '', S, '316b9ab98c15bfa039d243f3196acee619cf29749a91a634e6a8154e2f7b6727'],
  ['V5 line end', T, `${B}\n`, S, 'd3c4aa0a1a511b40677c569aa6fe7b4be56341c01e8cb0a8a41f84d64daf520b'],
  ['V6 CRLF', T, B.replaceAll('\n', '\r\n'), S, '9699643a59d7f944696bac7db1885c77c2607a27eefd28f0017a966ac1f247d8'],
  ['V7 BOM', T, `\ufeff${B}`, S, '7715d679f9ef7de40854945eff829ce0126c9e5c26cc7792d6917dda9eaa30b5'],
  ['V8 compact', T, '{"id":"evt_test_webhook","object":"event"}', S, 'd95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990'],
  ['V9 invalid UTF-8', T, Buffer.concat([Buffer.from('{"id":"evt_x","object":"event","n":"'), Buffer.from([0xff]), Buffer.from('"}')]), S, '6971f696daa41c875ba36135c4ee0244a408129b0cfecba8afc63709f07b91bf'],
  ['V10 raw NUL', T, '{"id":"evt_x","object":"event","n":"a\0b"}', S, '78373c6d56f733a964b810b79fd68da6dcc5f9fb1070ceae7dbb1d12e6518a85'],
  ['V11 UTF-8', T, '{"id":"evt_x","object":"event","name":"Zoë 🎉"}', S, '3b49d64c28e28214155d88a67006f534650d59b6f10ec0465b1cb8ea10528e73'],
  ['V12 1 MiB', T, 'a'.repeat(1048576), S, 'be8093bd85eb247c1dc8912be4c1d031b290bbdf2ccf27a890ca5f1c926878a6'],
  ['V13 long key', T, B, `whsec_${'x'.repeat(94)}`, 'f9858aaf73789955262209ac3c5560dcd097fd224df24dbf814e96e68d5386af'],
  ['V17 not JSON', T, '} I am not valid JSON; 123][', S, 'f51cb471b499dfae7485cba9aa31df6549b8e098e60f2a2d2a42829d963fe5a4'],
  ['V18 thin event', T, '{"id":"evt_test_webhook","object":"v2.core.event"}', S, 'c55b32a3b39f5959eacdb0abd9c2bfe761ae9550517ecd83463b74870c223200'],
];
for (const [name, t, body, secret, signature] of vectors) {
  test(`stripe ${name}: the vector verifies`, async () => {
    assert.equal(hex(secret, String(t), body), signature);
    assert.equal((await judge('stripe', secret, { header: `t=${t},v1=${signature}`, body, now: t + 10 })).verdict, 'valid');
    if (typeof body === 'string' && body !== '') {
      assert.equal(stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: t }), `t=${t},v1=${signature}`);
    }
  });
}

// verdict: ours. official: what stripe-node says when it says otherwise, with the reason why we differ.
const H = (rest) => `t=${T},${rest}`;
const rows = [
  { name: 'a right signature', header: H(`v1=${V1}`), verdict: 'valid' },
  { name: 'bad_header', header: 'bad_header', verdict: 'malformed' },
  { name: 'a sentence', header: "I'm not even a real signature header", verdict: 'malformed' },
  { name: 'v1,t=1', header: 'v1,t=1', verdict: 'malformed' },
  { name: 't=', header: 't=', verdict: 'malformed' },
  { name: 'a blank header', header: ' ', verdict: 'missing' },
  { name: 'only v0', header: H(`v0=${V1}`), verdict: 'malformed' },
  { name: 'bad_signature', header: H('v1=bad_signature'), verdict: 'mismatch' },
  { name: 'deadbeef', header: H('v1=deadbeef'), verdict: 'mismatch' },
  { name: 'right, then unreadable', header: H(`v1=${V1},v1=potato`), verdict: 'valid' },
  { name: 'unreadable, then right', header: H(`v1=potato,v1=${V1}`), verdict: 'valid' },
  { name: 'rolled key, by the old secret', header: H(`v1=${V1},v1=${v(B, { secret: ROLLED })}`), verdict: 'valid' },
  { name: 'rolled key, by the new secret', header: H(`v1=${V1},v1=${v(B, { secret: ROLLED })}`), secret: ROLLED, verdict: 'valid' },
  { name: '15 s old, tolerance 10', header: H(`v1=${V1}`), now: T + 15, toleranceS: 10, verdict: 'stale' },
  { name: '15 s old, tolerance 20', header: H(`v1=${V1}`), now: T + 15, toleranceS: 20, verdict: 'valid' },
  { name: '9 s old, tolerance 10', header: H(`v1=${V1}`), now: T + 9, toleranceS: 10, verdict: 'valid' },
  { name: 'age 299', header: H(`v1=${V1}`), now: T + 299, verdict: 'valid' },
  { name: 'age 300', header: H(`v1=${V1}`), now: T + 300, verdict: 'valid' },
  { name: 'age 301', header: H(`v1=${V1}`), now: T + 301, verdict: 'stale' },
  { name: 'ahead 300', header: H(`v1=${V1}`), now: T - 300, verdict: 'valid' },
  { name: 'ahead 301', header: H(`v1=${V1}`), now: T - 301, verdict: 'future', official: true, why: 'age counts in both directions' },
  { name: 'ahead a year', header: H(`v1=${V1}`), now: T - 31536000, verdict: 'future', official: true, why: 'age counts in both directions' },
  { name: 'another secret', header: H(`v1=${V1}`), secret: 'whsec_quite_another_secret', verdict: 'mismatch' },
  { name: 'the secret without its prefix', header: H(`v1=${v(B, { secret: 'test_secret' })}`), verdict: 'mismatch' },
  { name: 'the secret with a line end', header: H(`v1=${v(B, { secret: `${S}\n` })}`), verdict: 'mismatch' },
  { name: 'the secret with a space', header: H(`v1=${v(B, { secret: ` ${S}` })}`), verdict: 'mismatch' },
  { name: 'upper-case hex', header: H(`v1=${V1.toUpperCase()}`), verdict: 'valid', official: false, why: 'the same bytes' },
  { name: 'space after the comma', header: H(` v1=${V1}`), verdict: 'valid', official: false, why: 'optional white space means nothing' },
  { name: 'v1 before t', header: `v1=${V1},t=${T}`, verdict: 'valid' },
  { name: 'two t, the right one first', header: `t=${T},t=${T + 1},v1=${V1}`, verdict: 'malformed' },
  { name: 'two t, the right one last', header: `t=${T + 1},t=${T},v1=${V1}`, verdict: 'malformed', official: true, why: 'exactly one t' },
  { name: 't=1700000000abc', header: `t=${T}abc,v1=${V1}`, verdict: 'malformed', official: true, why: 't is canonical' },
  { name: 't=+1700000000', header: `t=+${T},v1=${V1}`, verdict: 'malformed', official: true, why: 't is canonical' },
  { name: 't=01700000000, signed canonically', header: `t=0${T},v1=${V1}`, verdict: 'malformed', official: true, why: 't is canonical' },
  { name: 't=01700000000, signed as written', header: `t=0${T},v1=${v(B, { t: `0${T}` })}`, verdict: 'malformed' },
  { name: 't=1700000000.0', header: `t=${T}.0,v1=${V1}`, verdict: 'malformed', official: true, why: 't is canonical' },
  { name: 't=-5', header: `t=-5,v1=${v(B, { t: -5 })}`, verdict: 'malformed' },
  { name: '20-digit t', header: `t=99999999999999999999,v1=${v(B, { t: '99999999999999999999' })}`, verdict: 'malformed' },
  { name: '62 hex digits', header: H(`v1=${V1.slice(0, 62)}`), verdict: 'mismatch' },
  { name: '66 hex digits', header: H(`v1=${V1}50`), verdict: 'mismatch' },
  { name: 'an empty v1', header: H('v1='), verdict: 'mismatch' },
  { name: 'a trailing =', header: H(`v1=${V1}=`), verdict: 'mismatch', official: true, why: 'an entry is exactly 64 digits' },
  { name: 'a trailing comma', header: H(`v1=${V1},`), verdict: 'valid' },
  { name: 'unknown keys', header: H(`v2=${V1},foo=bar,v1=${V1}`), verdict: 'valid' },
  { name: 'T=', header: `T=${T},v1=${V1}`, verdict: 'malformed' },
  { name: 'V1=', header: H(`V1=${V1}`), verdict: 'malformed' },
  { name: 'no t', header: `v1=${V1}`, verdict: 'malformed' },
  { name: 'a space more in the body', header: H(`v1=${V1}`), body: `${B} `, verdict: 'mismatch' },
  { name: 'the body compacted', header: H(`v1=${V1}`), body: '{"id":"evt_test_webhook","object":"event"}', verdict: 'mismatch' },
  { name: '17 v1 entries', header: H(Array.from({ length: 17 }, () => `v1=${V1}`).join(',')), verdict: 'malformed', official: true, why: 'a header has a bound' },
  { name: 'a header over 4 KiB', header: H(`${'x'.repeat(4096)}=1,v1=${V1}`), verdict: 'malformed', official: true, why: 'a header has a bound' },
];
for (const row of rows) {
  test(`stripe ${row.name}: ${row.verdict}${row.why ? ` (stripe-node ${row.official ? 'accepts' : 'refuses'}: ${row.why})` : ''}`, async () => {
    const full = { body: B, now: T + 10, ...row };
    const ours = await judge('stripe', row.secret ?? S, { ...full, tolerance: `${row.toleranceS ?? 300}s` });
    assert.equal(ours.verdict, row.verdict);
    assert.equal(byStripe(full), row.official ?? row.verdict === 'valid', 'what stripe-node decides');
    if (row.why) assert.notEqual(byStripe(full), ours.valid, 'the row says they differ');
  });
}

const SW = { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' };
const swSign = (at, id = SW.id, body = SW.body) => new Webhook(SW.secret).sign(id, new Date(at * 1000), body);
const wallS = () => Math.floor(Date.now() / 1000);
const swRows = [
  { name: 'a right signature', verdict: 'valid' },
  { name: 'no id', id: '', verdict: 'missing' },
  { name: 'no timestamp', timestamp: '', verdict: 'missing' },
  { name: 'another id', id: 'msg_another', verdict: 'mismatch' },
  { name: 'another body', body: '{"test": 1}', verdict: 'mismatch' },
  { name: 'a bare v1', header: 'v1,', verdict: 'mismatch' },
  { name: 'a list with a right one', header: (right) => `v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,${right.slice(3)} ${right} v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=`, verdict: 'valid' },
  { name: 'too old', ageS: 400, verdict: 'stale' },
  { name: 'too far ahead', ageS: -400, verdict: 'future' },
  { name: 'only another version', header: (right) => `v2,${right.slice(3)}`, verdict: 'malformed' },
];
for (const row of swRows) {
  test(`standard-webhooks ${row.name}: ${row.verdict}`, async () => {
    const at = wallS() - (row.ageS ?? 0);
    const right = swSign(at);
    const header = typeof row.header === 'function' ? row.header(right) : (row.header ?? right);
    const request = { header, body: row.body ?? SW.body, id: row.id ?? SW.id, timestamp: row.timestamp ?? String(at) };
    let official = true;
    try {
      new Webhook(SW.secret).verify(request.body, { 'webhook-id': request.id, 'webhook-timestamp': request.timestamp, 'webhook-signature': header });
    } catch {
      official = false;
    }
    const asked = { ...request, id: request.id || undefined, timestamp: request.timestamp || undefined };
    const ours = await judge('standard-webhooks', SW.secret, asked);
    assert.equal(ours.verdict, row.verdict);
    assert.equal(official, ours.valid, 'the reference library decides alike');
  });
}

test('the vector of the Standard Webhooks libraries verifies', async () => {
  const header = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  assert.equal(swSign(1614265330), header);
  for (const secret of [SW.secret, SW.secret.slice(6)]) {
    assert.equal((await judge('standard-webhooks', secret, { header, body: SW.body, id: SW.id, timestamp: '1614265330', now: 1614265330 })).verdict, 'valid');
  }
});

test('github: what its own library signs is valid, and one changed byte is not', async () => {
  const secret = "It's a Secret to Everybody";
  const header = await githubSign(secret, 'Hello, World!');
  assert.equal(header, 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17');
  assert.equal((await judge('github', secret, { header, body: 'Hello, World!' })).verdict, 'valid');
  for (const [changed, body] of [[header, 'Hello, World?'], [header.replace(/.$/, '8'), 'Hello, World!'], [header.slice(0, -1), 'Hello, World!'], [header.slice(7), 'Hello, World!']]) {
    assert.equal((await judge('github', secret, { header: changed, body })).valid, false);
    assert.equal(await githubVerify(secret, body, changed), false);
  }
});

test('shopify: base64 of the HMAC over the body, exactly', async () => {
  const secret = 'shpss_0123456789abcdef0123456789abcdef';
  const body = '{"id":820982911946154508,"admin_graphql_api_id":"gid://shopify/Order/820982911946154508"}';
  const header = createHmac('sha256', secret).update(body).digest('base64');
  assert.equal((await judge('shopify', secret, { header, body })).verdict, 'valid');
  assert.equal((await judge('shopify', secret, { header, body: `${body}\n` })).verdict, 'mismatch');
  assert.equal((await judge('shopify', secret, { header: header.replace('=', ''), body })).verdict, 'malformed');
  assert.equal((await judge('shopify', secret, { header: Buffer.from(header, 'base64').toString('hex'), body })).verdict, 'malformed');
});
