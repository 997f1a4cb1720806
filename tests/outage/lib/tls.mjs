// tls - certificates made for one run, and a TLS front before the broker whose papers can be changed while it runs.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });

// Certificates below one folder; each authority and each certificate is made once.
export class Papers {
  constructor(dir) {
    this.dir = dir;
  }

  file(name) {
    return path.join(this.dir, name);
  }

  authority(name) {
    if (!existsSync(this.file(`${name}.crt`))) {
      openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', this.file(`${name}.key`), '-out', this.file(`${name}.crt`));
    }
    return this.file(`${name}.crt`);
  }

  // {cert, key, certFile, keyFile} for a subjectAltName; isExpired: its day was long ago.
  certificate(name, altName, { authority = 'authority', isExpired = false, isClient = false } = {}) {
    this.authority(authority);
    const [key, request, cert] = ['key', 'csr', 'crt'].map((end) => this.file(`${name}.${end}`));
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`, '-addext', `subjectAltName=${altName}`,
      '-addext', `extendedKeyUsage=${isClient ? 'clientAuth' : 'serverAuth'}`, '-keyout', key, '-out', request);
    openssl('x509', '-req', '-in', request, '-copy_extensions', 'copyall', '-CA', this.file(`${authority}.crt`), '-CAkey', this.file(`${authority}.key`),
      '-CAcreateserial', '-days', isExpired ? '-1' : '2', '-out', cert);
    return { cert: readFileSync(cert), key: readFileSync(key), certFile: cert, keyFile: key };
  }
}

// TLS on one side, the plain broker on the other.
export class TlsFront {
  static async start(targetPort, options) {
    const front = new TlsFront();
    front.sockets = new Set();
    front.handshakes = 0; // done
    front.plaintext = 0; // connections that began with something else
    front.names = []; // of client certificates
    front.targetPort = targetPort;
    front.use(options);
    front.listener = net.createServer((socket) => {
      front.keep(socket);
      if (front.server) front.server.emit('connection', socket);
    });
    await new Promise((resolve) => front.listener.listen(0, '127.0.0.1', resolve));
    front.port = front.listener.address().port;
    return front;
  }

  // New connections get these papers; undefined: nobody speaks.
  use(options) {
    if (options === undefined) {
      this.server = undefined;
      return;
    }
    this.server = tls.createServer(options, (client) => {
      this.handshakes += 1;
      const name = client.getPeerCertificate()?.subject?.CN;
      if (name) this.names.push(name);
      const broker = net.connect(this.targetPort, '127.0.0.1');
      this.keep(client);
      this.keep(broker);
      client.pipe(broker).pipe(client);
    });
    this.server.on('tlsClientError', (error) => {
      if (/wrong version number|http request/i.test(error.message)) this.plaintext += 1;
    });
  }

  keep(socket) {
    this.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
  }

  reset() {
    for (const socket of this.sockets) socket.destroy();
  }

  stop() {
    this.reset();
    return new Promise((resolve) => this.listener.close(resolve));
  }
}
