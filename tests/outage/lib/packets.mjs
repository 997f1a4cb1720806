// packets - the kernel drops what goes to and comes from loopback ports, without a word to either side: a cable that was pulled.
//
// Needs root and nft(8); a scenario that finds neither is skipped. Only the named ports are touched, in a table that carries this process's number.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const name = `sluice_outage_${process.pid}`;
const nft = (script) => run('nft', [script]);

export const packets = {
  async canBeDropped() {
    try {
      await nft(`add table inet ${name}; delete table inet ${name}`);
      return true;
    } catch {
      return false;
    }
  },

  // Both ways, of open connections and new ones. rules: ports (numbers), or whole addresses ("127.0.0.66").
  async drop(...rules) {
    const lines = rules.flatMap((rule) => (typeof rule === 'number'
      ? [`tcp dport ${rule} drop`, `tcp sport ${rule} drop`]
      : [`ip daddr ${rule} drop`, `ip saddr ${rule} drop`]));
    await nft([`add table inet ${name}`, `add chain inet ${name} in { type filter hook input priority 0; }`,
      ...lines.map((line) => `add rule inet ${name} in iif lo ${line}`)].join('; '));
  },

  async pass() {
    await nft(`add table inet ${name}; delete table inet ${name}`);
  },
};
