// raw - an HTTP/1.1 client that sends exactly the bytes it is given and reads what comes back. Nothing is made well-formed on the way out.
import net from 'node:net';

// Parses answers off the front of bytes. A 1xx or an answer to HEAD (noBody) has no body.
export function parseAnswers(bytes, { noBody = false } = {}) {
  const answers = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return { answers, rest };
    const lines = rest.subarray(0, end).toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(lines[0])?.[1] ?? 0);
    const headers = Object.fromEntries(lines.slice(1).map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
    const length = status < 200 || noBody ? 0 : Number(headers['content-length'] ?? 0);
    if (rest.length < end + 4 + length) return { answers, rest };
    answers.push({ status, headers, body: rest.subarray(end + 4, end + 4 + length).toString() });
    rest = rest.subarray(end + 4 + length);
  }
}

const pause = (ms) => new Promise((go) => setTimeout(go, ms));

// Sends parts one after the other, then, unless halfClose is false, closes the sending side. A part may be a number (waits so many milliseconds, as
// slow clients do) or a function (waits until it says true of the answers so far). Resolves when the server has closed, after so many final answers
// as `expect` says, or after deadlineMs, with {answers, ended, rest}.
export function talk(port, parts, { halfClose = true, expect = Infinity, deadlineMs = 30000, noBody = false, host = '127.0.0.1', path, socket: open } = {}) {
  return new Promise((resolve) => {
    const socket = open ?? net.connect(path ? { path, allowHalfOpen: true } : { port, host, allowHalfOpen: true });
    let bytes = Buffer.alloc(0);
    let ended = false;
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ...parseAnswers(bytes, { noBody }), ended });
    };
    const timer = setTimeout(finish, deadlineMs);
    socket.on('data', (part) => {
      bytes = Buffer.concat([bytes, part]);
      if (parseAnswers(bytes, { noBody }).answers.filter((answer) => answer.status >= 200).length >= expect) finish();
    });
    socket.on('end', () => {
      ended = true;
      finish();
    });
    socket.on('error', () => finish());
    const send = async () => {
      for (const part of [parts].flat()) {
        if (typeof part === 'number') await pause(part);
        else if (typeof part === 'function') while (!socket.destroyed && !part(parseAnswers(bytes, { noBody }).answers)) await pause(10);
        else if (!socket.destroyed) socket.write(part);
      }
      if (halfClose && !socket.destroyed) socket.end();
    };
    socket.on(open ? 'open' : 'connect', send);
    if (open) send();
  });
}
