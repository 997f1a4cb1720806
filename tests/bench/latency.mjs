// latency - webhook to 200, and webhook to visible row, at 500 events a second, beside the round trip of a bare confirm at the same pace.
//
// Publisher and consumer both run, in both legs: what the bare loop publishes is consumed too, so broker, Postgres and disk have the same to do.
import { ratios, spread } from './measure.mjs';

const PER_SECOND = 500;

// The database tells, with each commit, which rows are now visible: the numbers of the events, cut from their ids.
const TELL = `CREATE FUNCTION bench_tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_notify('bench', string_agg(substr(event_id, 13), ',')) FROM arrived;
    RETURN NULL;
  END $$;
  CREATE TRIGGER bench_tell AFTER INSERT ON sluice_inbox REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION bench_tell()`;

export async function latency(world) {
  const { stack, options } = world;
  const seconds = options.seconds;
  const count = PER_SECOND * seconds;
  await world.purge();
  await world.emptyTables();
  await stack.query(TELL);
  await stack.startPublisher();
  await stack.startConsumer();

  const paced = [];
  const bare = [];
  let rows = 0;
  for (let round = -1; round < options.rounds; round += 1) {
    const ours = JSON.parse(await world.tool('paced_webhooks', ['-p', String(stack.httpPort), '-r', String(PER_SECOND), '-s', String(seconds),
      world.bodies('paced', count)], { withDatabase: true }));
    if (ours.not_2xx > 0 || ours.rows !== ours.sent) throw new Error(`webhooks went wrong: ${JSON.stringify(ours)}`);
    const confirms = await world.barePublish('-r', String(PER_SECOND), '-s', String(seconds), '-n', String(count), world.bodies('bare', count));
    rows += ours.sent + confirms.messages;
    await world.applied(rows);
    if (round >= 0) { // the first warms up
      paced.push(ours);
      bare.push(confirms);
    }
  }
  await stack.terminate(stack.publisher);
  await stack.terminate(stack.consumer);
  await stack.query('DROP TRIGGER bench_tell ON sluice_inbox; DROP FUNCTION bench_tell()');

  const of = (legs, name) => legs.map((one) => one[name]);
  return {
    latency_answer_p50_us: spread(of(paced, 'p50_us')),
    latency_answer_p99_us: spread(of(paced, 'p99_us')),
    latency_row_p50_us: spread(of(paced, 'row_p50_us')),
    latency_row_p99_us: spread(of(paced, 'row_p99_us')),
    latency_bare_p50_us: spread(of(bare, 'p50_us')),
    latency_bare_p99_us: spread(of(bare, 'p99_us')),
    latency_answer_p99_vs_bare: ratios(of(paced, 'p99_us'), of(bare, 'p99_us')),
    latency_row_p99_vs_bare: ratios(of(paced, 'row_p99_us'), of(bare, 'p99_us')),
  };
}
