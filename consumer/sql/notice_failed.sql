-- A callback about a dead letter failed: when it is due again, and why.
UPDATE sluice_dead_notice SET due_at = now() + $3::bigint * interval '1 millisecond', error = $4::text
 WHERE dead_letter_id = $1::bigint AND round = $2::integer
