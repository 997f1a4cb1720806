-- 0008_breakers: the breakers of each running consumer, so that people see them.

ALTER TABLE sluice_consumer ADD COLUMN breakers jsonb NOT NULL DEFAULT '[]';

COMMENT ON COLUMN sluice_consumer.breakers IS 'Breakers of event types that are not closed: type, state (open, half_open), since_ms, and probe_ms unless an operator holds it open. Each worker has its own; 16 of each are shown.';
