-- Processes that have not been seen for a day, and, when asked, this one; orders that ended a day ago.
WITH over AS (DELETE FROM sluice_control WHERE expires_at < now() - interval '1 day')
DELETE FROM sluice_consumer WHERE seen_at < now() - interval '1 day' OR instance = $1::text
