// names - a name server of our own, and a way to make one program ask it: its own mount namespace with another /etc/resolv.conf.
//
// Answers every question for an A record with `answer`: a list of addresses; an empty one means that the name does not exist, undefined that nobody
// answers. Needs root (unshare, mount). RFC 1035, 4.
import dgram from 'node:dgram';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

export class NameServer {
  static async start() {
    const server = new NameServer();
    server.answer = [];
    server.questions = 0;
    server.socket = dgram.createSocket('udp4');
    server.socket.on('message', (question, peer) => {
      server.questions += 1;
      const reply = server.replyTo(question);
      if (reply) server.socket.send(reply, peer.port, peer.address);
    });
    await new Promise((resolve) => server.socket.bind(0, '127.0.0.1', resolve));
    return server;
  }

  replyTo(question) {
    if (this.answer === undefined) return undefined;
    let end = 12;
    while (question[end] !== 0) end += question[end] + 1;
    const isAddress = question.readUInt16BE(end + 1) === 1;
    const asked = question.subarray(12, end + 5);
    const records = isAddress ? this.answer.map((address) => Buffer.concat([
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]), // the name asked for, A, IN, not to be kept
      Buffer.from(address.split('.').map(Number)),
    ])) : [];
    const head = Buffer.alloc(12);
    question.copy(head, 0, 0, 2);
    head.writeUInt16BE(this.answer.length === 0 ? 0x8183 : 0x8180, 2); // NXDOMAIN, or an answer
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    return Buffer.concat([head, asked, ...records]);
  }

  // Words to put before a program, so that it asks this server and has no other hosts file.
  wrapper(dir) {
    const resolv = path.join(dir, 'resolv.conf');
    const hosts = path.join(dir, 'hosts');
    writeFileSync(resolv, `nameserver 127.0.0.1:${this.socket.address().port}\noptions timeout:1 attempts:1\n`);
    writeFileSync(hosts, '127.0.0.1 localhost\n');
    return ['unshare', '-m', 'sh', '-c', `mount --bind ${resolv} /etc/resolv.conf && mount --bind ${hosts} /etc/hosts && exec "$@"`, 'sh'];
  }

  stop() {
    return new Promise((resolve) => this.socket.close(resolve));
  }
}
