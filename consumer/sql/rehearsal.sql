-- The answer to one rehearsal, once; what nobody has taken for a day goes.
WITH forgotten AS (
DELETE FROM sluice_rehearsal WHERE at < now() - interval '1 day'
)
INSERT INTO sluice_rehearsal (copy, subsystem, outcome, error_class, error_code, error, constraint_name)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text)
    ON CONFLICT (copy) DO NOTHING
