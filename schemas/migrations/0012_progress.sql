-- 0012_progress: since when a running consumer has settled nothing although it had something to do.

ALTER TABLE sluice_consumer ADD COLUMN progress_at timestamptz;

COMMENT ON COLUMN sluice_consumer.progress_at IS
    'When it last settled a delivery, or had nothing to do, or was paused: work that waits for long behind that is stuck.';
