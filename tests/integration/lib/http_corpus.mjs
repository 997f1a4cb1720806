// http_corpus - byte strings that an HTTP server on the open internet is sent, and what ours answers.
//
// Each row: [name, bytes, statuses of the answers in order, and, when our server accepts what nginx refuses, the reason why that is right].
// The paths exist on no route, so that 404 says: the request was read whole and understood.
const host = 'Host: door.test\r\n';
const get = `GET /nowhere HTTP/1.1\r\n${host}`;
const post = `POST /nowhere HTTP/1.1\r\n${host}`;
const chunked = `${post}Transfer-Encoding: chunked\r\n\r\n`;
const latin1 = (text) => Buffer.from(text, 'latin1');
const repeat = (text, times) => text.repeat(times);

export const OK = 404;

export const corpus = [
  // Well-formed.
  ['a GET', `${get}\r\n`, [OK]],
  ['a counted body', `${post}Content-Length: 5\r\n\r\nhello`, [OK]],
  ['a chunked body', `${chunked}5\r\nhello\r\n0\r\n\r\n`, [OK]],
  ['chunks with extensions and trailers', `${chunked}5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`, [OK]],
  ['upper-case chunk size', `${chunked}A\r\n0123456789\r\n0\r\n\r\n`, [OK]],
  ['three pipelined requests', `${get}\r\n${post}Content-Length: 2\r\n\r\nxy${get}\r\n`, [OK, OK, OK]],
  ['a request behind a chunked one', `${chunked}1\r\nx\r\n0\r\n\r\n${get}\r\n`, [OK, OK]],
  ['HTTP/1.0', 'GET /nowhere HTTP/1.0\r\n\r\n', [OK]],
  ['a query', `GET /nowhere?a=1&b[]=2 HTTP/1.1\r\n${host}\r\n`, [OK]],
  ['an empty field', `${get}X-Empty:\r\n\r\n`, [OK]],
  ['bytes above ASCII in a value', latin1(`${get}X-Name: caf\xe9\r\n\r\n`), [OK]],
  ['a double slash', `GET //nowhere HTTP/1.1\r\n${host}\r\n`, [OK]],
  ['encoded dots', `GET /a/%2e%2e/nowhere HTTP/1.1\r\n${host}\r\n`, [OK]],
  ['dots above the root', `GET /../../nowhere HTTP/1.1\r\n${host}\r\n`, [OK], 'paths are compared byte by byte with a fixed table and never resolved'],
  ['an encoded NUL', `GET /%00nowhere HTTP/1.1\r\n${host}\r\n`, [OK], 'paths are compared byte by byte with a fixed table and never decoded'],
  ['a method in small letters', `get /nowhere HTTP/1.1\r\n${host}\r\n`, [OK], 'a method is any token (RFC 9110 section 9.1); none but ours has a route'],
  ['a made-up method', `JUMP /nowhere HTTP/1.1\r\n${host}\r\n`, [OK]],
  ['TRACE', `TRACE /nowhere HTTP/1.1\r\n${host}\r\n`, [OK], 'answered like any method without a route; nothing is echoed'],
  ['a method with marks', `M-SEARCH /nowhere HTTP/1.1\r\n${host}\r\n`, [OK]],

  // Length (E2).
  ['a body over the limit', `${post}Content-Length: 1048577\r\n\r\n`, [413]],
  ['a length of 2^64', `${post}Content-Length: 18446744073709551616\r\n\r\n`, [400]],
  ['a length of 2^64 + 5', `${post}Content-Length: 18446744073709551621\r\n\r\nhello`, [400]],
  ['a negative length', `${post}Content-Length: -5\r\n\r\nhello`, [400]],
  ['a length with a sign', `${post}Content-Length: +5\r\n\r\nhello`, [400]],
  ['a hexadecimal length', `${post}Content-Length: 0x5\r\n\r\nhello`, [400]],
  ['a list of lengths', `${post}Content-Length: 5, 5\r\n\r\nhello`, [400]],
  ['a length with a leading zero', `${post}Content-Length: 05\r\n\r\nhello`, [400]],
  ['a length with a space inside', `${post}Content-Length: 5 5\r\n\r\nhello`, [400]],
  ['an empty length', `${post}Content-Length:\r\n\r\n`, [400]],
  ['a length that is too short leaves the rest as a broken request', `${post}Content-Length: 3\r\n\r\nhello\r\n\r\n`, [OK, 400]],
  ['a length that is too long', `${post}Content-Length: 9\r\n\r\nhello`, []],

  // Framing (E3).
  ['length and encoding', `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, [400]],
  ['encoding and length', `${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`, [400]],
  ['two equal lengths', `${post}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, [400]],
  ['two different lengths', `${post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, [400]],
  ['gzip, chunked', `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, [400]],
  ['chunked, gzip', `${post}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, [400]],
  ['chunked with a parameter', `${post}Transfer-Encoding: chunked;x=1\r\n\r\n0\r\n\r\n`, [400]],
  ['a vertical tab before chunked', `${post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`, [400]],
  ['encoding twice', `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`, [400]],
  ['identity', `${post}Transfer-Encoding: identity\r\n\r\n`, [400]],
  ['encoding in HTTP/1.0', 'POST /nowhere HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', [400]],
  ['a folded field', `${get}X-Folded: a\r\n b\r\n\r\n`, [400]],
  ['a folded encoding', `${post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`, [400]],
  ['a space before the colon', `${post}Content-Length : 5\r\n\r\nhello`, [400]],
  ['a tab before the colon', `${post}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n`, [400]],
  ['a space before the first field', `GET /nowhere HTTP/1.1\r\n X: a\r\n${host}\r\n`, [400]],
  ['bare LF behind the request line', `GET /nowhere HTTP/1.1\n${host}\r\n`, [400]],
  ['bare LF behind a field', `${get}X: a\n\r\n`, [400]],
  ['bare LF at the end', `${get}\n`, [400]],
  ['bare CR in a value', `${get}X: a\rb\r\n\r\n`, [400]],
  ['NUL in a value', `${get}X: a\0b\r\n\r\n`, [400]],
  ['NUL in a name', `${get}X\0Y: a\r\n\r\n`, [400]],
  ['NUL in the target', `GET /no\0where HTTP/1.1\r\n${host}\r\n`, [400]],
  ['an escape sequence in a value', `${get}User-Agent: \x1b[31mred\r\n\r\n`, [400]],
  ['no name', `${get}: a\r\n\r\n`, [400]],
  ['no colon', `${get}Transfer-Encoding chunked\r\n\r\n`, [400]],
  ['a bracket in a name', `${get}X[1]: a\r\n\r\n`, [400]],
  ['no Host', 'GET /nowhere HTTP/1.1\r\n\r\n', [400]],
  ['two Hosts', `${get}${host}\r\n`, [400]],
  ['a Host with a path', 'GET /nowhere HTTP/1.1\r\nHost: a/b\r\n\r\n', [400]],
  ['a Host with a user', 'GET /nowhere HTTP/1.1\r\nHost: user@a\r\n\r\n', [400]],
  ['an empty Host', 'GET /nowhere HTTP/1.1\r\nHost:\r\n\r\n', [400]],
  ['two signatures', `${post}Stripe-Signature: a\r\nStripe-Signature: b\r\nContent-Length: 0\r\n\r\n`, [400]],
  ['two authorizations', `${get}Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n`, [400]],

  // Chunks.
  ['a chunk size with 0x', `${chunked}0x5\r\nhello\r\n0\r\n\r\n`, [400]],
  ['a chunk size with a sign', `${chunked}+5\r\nhello\r\n0\r\n\r\n`, [400]],
  ['a chunk size with a space', `${chunked}5 \r\nhello\r\n0\r\n\r\n`, [400]],
  ['a chunk size of 2^64', `${chunked}10000000000000000\r\nhello\r\n0\r\n\r\n`, [400]],
  ['a chunk over the limit', `${chunked}100001\r\n`, [413]],
  ['the largest chunk', `${chunked}ffffffffffffffff\r\n`, [413]],
  ['bare LF behind a chunk size', `${chunked}5\nhello\r\n0\r\n\r\n`, [400]],
  ['bare LF behind a chunk', `${chunked}5\r\nhello\n0\r\n\r\n`, [400]],
  ['bare LF in an extension', `${chunked}5;a\nb\r\nhello\r\n0\r\n\r\n`, [400]],
  ['a chunk longer than it says', `${chunked}5\r\nhello!\r\n0\r\n\r\n`, [400]],
  ['no end behind a chunk', `${chunked}5\r\nhello0\r\n\r\n`, [400]],
  ['a negative chunk', `${chunked}-1\r\n\r\n0\r\n\r\n`, [400]],
  ['an empty chunk size', `${chunked}\r\nhello\r\n0\r\n\r\n`, [400]],
  ['NUL in an extension', `${chunked}5;a\0\r\nhello\r\n0\r\n\r\n`, [400]],
  ['a flood of extensions', `${chunked}${repeat('1;abcdefghij\r\nx\r\n', 200)}0\r\n\r\n`, [400]],
  ['a flood of trailers', `${chunked}0\r\n${repeat('X: y\r\n', 2000)}\r\n`, [400]],
  ['a folded trailer', `${chunked}0\r\nX: a\r\n b\r\n\r\n`, [400]],
  ['a trailer without a colon', `${chunked}0\r\nX\r\n\r\n`, [400]],
  ['a chunked body without its end', `${chunked}5\r\nhello\r\n`, []],

  // Request lines and targets (E17).
  ['an absolute target', `GET http://door.test/nowhere HTTP/1.1\r\n${host}\r\n`, [400]],
  ['a target of another server', `GET http://other.test/ HTTP/1.1\r\n${host}\r\n`, [400]],
  ['an asterisk', `OPTIONS * HTTP/1.1\r\n${host}\r\n`, [400]],
  ['CONNECT', `CONNECT door.test:443 HTTP/1.1\r\n${host}\r\n`, [400]],
  ['a relative target', `GET nowhere HTTP/1.1\r\n${host}\r\n`, [400]],
  ['a fragment', `GET /nowhere#a HTTP/1.1\r\n${host}\r\n`, [400]],
  ['a backslash', `GET /no\\where HTTP/1.1\r\n${host}\r\n`, [400]],
  ['a broken escape', `GET /%4 HTTP/1.1\r\n${host}\r\n`, [400]],
  ['an escape that is not hexadecimal', `GET /%zz HTTP/1.1\r\n${host}\r\n`, [400]],
  ['bytes above ASCII in the target', latin1(`GET /caf\xe9 HTTP/1.1\r\n${host}\r\n`), [400]],
  ['a space in the target', `GET /no where HTTP/1.1\r\n${host}\r\n`, [400]],
  ['two spaces', `GET  /nowhere HTTP/1.1\r\n${host}\r\n`, [400]],
  ['a tab', `GET\t/nowhere HTTP/1.1\r\n${host}\r\n`, [400]],
  ['an empty line first', `\r\n${get}\r\n`, [400]],
  ['no version', `GET /nowhere\r\n${host}\r\n`, [400]],
  ['HTTP/0.9', 'GET /nowhere\r\n', [400]],
  ['HTTP/1.2', `GET /nowhere HTTP/1.2\r\n${host}\r\n`, [505]],
  ['HTTP/2.0', `GET /nowhere HTTP/2.0\r\n${host}\r\n`, [505]],
  ['http/1.1', `GET /nowhere http/1.1\r\n${host}\r\n`, [400]],
  ['HTTP/1.1 with a space behind', `GET /nowhere HTTP/1.1 \r\n${host}\r\n`, [400]],
  ['HTTP/01.1', `GET /nowhere HTTP/01.1\r\n${host}\r\n`, [400]],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400]],
  ['TLS on a plain port', latin1('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'), [400]],
  ['a PROXY line', `PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n${get}\r\n`, [400]],
  ['a method too long', `${repeat('A', 33)} /nowhere HTTP/1.1\r\n${host}\r\n`, [501]],
  ['a path of 64 kB', `GET /${repeat('a', 65536)} HTTP/1.1\r\n${host}\r\n`, [414]],
  ['65 fields', `${get}${repeat('X: y\r\n', 64)}\r\n`, [431]],
  ['a head of 100 kB', `${get}X: ${repeat('y', 100000)}\r\n\r\n`, [431]],
  ['a signature of 100 kB', `${post}Stripe-Signature: t=1,${repeat('v1=00,', 16000)}\r\nContent-Length: 0\r\n\r\n`, [431]],

  // What comes behind a refusal is never read as a request.
  ['a request behind a refused one', `${post}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello${get}\r\n`, [400]],
  ['a smuggled request behind length and encoding', `${post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${get}\r\n`, [400]],
  ['a request behind Connection: close', `${get}Connection: close\r\n\r\n${get}\r\n`, [OK]],
].map(([name, bytes, statuses, reason]) => ({ name, bytes: Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes, 'latin1'), statuses, reason }));

// A small generator with a seed (mulberry32), so that a finding can be made again.
export function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

// `count` rows of the corpus with one to three small changes each: a byte replaced, taken out, doubled, or a dangerous one put in.
export function mutants(seed, count) {
  const pick = random(seed);
  const dangerous = ['\r', '\n', '\r\n', '\0', ' ', '\t', ':', ';', ',', '0', 'x', '+', '-', '%', '\x0b', '\x7f', '\x80', '/', 'chunked', 'Content-Length: 3\r\n', '\r\n '];
  const short = corpus.filter((row) => row.bytes.length < 400);
  return Array.from({ length: count }, (_, i) => {
    const row = short[pick(short.length)];
    let bytes = row.bytes;
    for (let changes = 1 + pick(3); changes > 0; changes--) {
      const at = pick(bytes.length + 1);
      const kind = pick(4);
      const middle = kind === 0 ? Buffer.from([pick(256)]) : kind === 1 ? Buffer.alloc(0) : kind === 2 ? bytes.subarray(at, at + 1) : Buffer.from(dangerous[pick(dangerous.length)], 'latin1');
      bytes = Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(kind === 3 || kind === 2 ? at : at + 1)]);
    }
    return { name: `mutant ${i} of "${row.name}"`, bytes };
  });
}
