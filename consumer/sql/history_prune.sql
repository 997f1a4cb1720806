-- Once a day: resolved dead letters and attempts past their keeping go; open letters never. Subsystems, counts and milliseconds go together.
SELECT sluice_dead_letter_prune($1::text[], $2::bigint[], $3::bigint[]) AS letters, sluice_attempt_prune() AS attempts
