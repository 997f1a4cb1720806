// runbook - the pages of runbooks/ as a person on call uses them: what to type is taken from the page, never from memory.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const text = (file) => readFileSync(path.join(root, file), 'utf8');
export const pages = readdirSync(path.join(root, 'runbooks')).filter((name) => name.endsWith('.md'));

export const isSql = (line) => /^(SELECT|WITH|UPDATE|DELETE|INSERT)\b/.test(line);
const program = /^(?:sluice(?:-consumer|-publisher)?|psql|kill|openssl|systemctl|journalctl|timedatectl|docker|rabbitmqctl|rabbitmq-diagnostics|pgbackrest|curl|df|SELECT) /;

// {line, command}: what is indented, what stands in a fence of shell, and what a sentence quotes that begins with a program. SQL may go over several lines,
// everything else is one.
export function commandsOf(page) {
  const found = [];
  let isFenced = false;
  const lines = text(`runbooks/${page}`).split('\n');
  lines.forEach((line, i) => {
    for (const [, inline] of line.matchAll(/`([^`]+)`/g)) {
      if (program.test(inline)) found.push({ line: i + 1, command: inline });
    }
    if (line.startsWith('```')) {
      isFenced = line === '```sh';
      return;
    }
    if (isFenced) found.push({ line: i + 1, command: line });
    if (!line.startsWith('    ')) return;
    const last = found.at(-1);
    if (last?.open && i === last.end) {
      Object.assign(last, { command: `${last.command}\n${line.trim()}`, end: i + 1 });
    } else {
      found.push({ line: i + 1, command: line.trim(), open: isSql(line.trim()), end: i + 1 });
    }
    if (line.trimEnd().endsWith(';')) found.at(-1).open = false;
  });
  return found;
}

// The command of a page that begins so, with what stands in it as an example replaced: {'0123…': 'f1a2…'}. Fails when the page says no such thing.
export function commandFrom(page, beginning, blanks = {}) {
  const found = commandsOf(page).find(({ command }) => command.startsWith(beginning));
  if (found === undefined) throw new Error(`${page} has no command that begins with: ${beginning}`);
  let { command } = found;
  for (const [example, value] of Object.entries(blanks)) {
    if (!command.includes(example)) throw new Error(`${page}: ${command}: holds no ${example}`);
    command = command.replaceAll(example, value);
  }
  return command;
}
