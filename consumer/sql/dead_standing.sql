-- Closes letters of a replay that the inbox proves done; how many are open, per subsystem, and since when the oldest.
SELECT d.subsystem, count(*) AS open, extract(epoch FROM min(d.created_at))::bigint AS oldest_s,
       (SELECT sluice_dead_letter_close()) AS closed
  FROM sluice_dead_letter d
 WHERE d.status IN ('open', 'replaying')
 GROUP BY d.subsystem
