-- Takes the notice that has been due longest, for $2 milliseconds: nobody else takes it in that time, and it comes again if
-- its taker dies. $1: the subsystems that have an on-dead.
UPDATE sluice_dead_notice n
   SET attempts = n.attempts + 1, due_at = now() + $2::bigint * interval '1 millisecond'
  FROM (SELECT d.id, d.subsystem, d.error_code,
               jsonb_build_object(
                   'type', 'event.dead', 'timestamp', d.updated_at,
                   'data', jsonb_build_object(
                       'id', d.id, 'subsystem', d.subsystem, 'event_id', d.event_id, 'event_type', d.type,
                       'source', d.source, 'account', d.account, 'livemode', d.livemode, 'object', d.object,
                       'occurred_at', d.occurred_at, 'reason', d.reason, 'error_class', d.error_class,
                       'error_code', d.error_code, 'error', d.error, 'attempts', d.attempts,
                       'first_failed_at', d.first_failed_at, 'payload', d.payload)) AS body
          FROM sluice_dead_notice due JOIN sluice_dead_letter d ON d.id = due.dead_letter_id
         WHERE due.told_at IS NULL AND due.due_at <= now() AND d.subsystem = ANY ($1::text[])
         ORDER BY due.due_at
         LIMIT 1
           FOR UPDATE OF due SKIP LOCKED) letter
 WHERE n.dead_letter_id = letter.id
RETURNING n.dead_letter_id, n.round, n.attempts, letter.subsystem, letter.error_code, letter.body
