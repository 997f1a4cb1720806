-- The callback about a dead letter was taken.
UPDATE sluice_dead_notice SET told_at = now(), error = NULL WHERE dead_letter_id = $1::bigint AND round = $2::integer
