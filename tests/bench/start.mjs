// start - milliseconds from the start of a program to ready, with a broker and a database that answer; and the journal at its own interface.
import { connect } from 'node:net';
import { spread } from './measure.mjs';

const ASK = 'GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n';

export async function start(world) {
  const { stack, options } = world;
  const publisher = [];
  const consumer = [];
  for (let round = 0; round < options.rounds; round += 1) {
    publisher.push(await untilReady(stack, 'sluice-publisher', stack.publisherEnvironment, stack.httpPort));
    consumer.push(await untilReady(stack, 'sluice-consumer', stack.consumerEnvironment, stack.consumerPort));
  }
  return { publisher_start_ms: spread(publisher), consumer_start_ms: spread(consumer) };
}

async function untilReady(stack, program, environment, port) {
  const began = process.hrtime.bigint();
  const child = stack.spawn(program, environment);
  while (!(await isReady(port))) await new Promise((resolve) => setTimeout(resolve, 1));
  const ms = Number(process.hrtime.bigint() - began) / 1e6;
  await stack.terminate(child);
  return ms;
}

function isReady(port) {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(ASK));
    socket.on('data', (data) => { answer += data; });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(answer.startsWith('HTTP/1.1 200')));
  });
}

export async function journal(world) {
  const text = await world.tool('journal', [world.stack.dir, String(world.options.seconds * 2)]).catch((error) => error.stdout);
  const figure = (name) => spread([Number(text.match(new RegExp(`^${name}\\s+([0-9.]+)`, 'm'))[1])]);
  return { journal_per_second: figure('journal'), disk_alone_per_second: figure('disk alone'), journal_vs_disk: figure('ratio') };
}
