-- Nobody needs to be asked about objects whose other events have all arrived, nor about accounts that have left. Returns how many those were.
WITH told AS (
    DELETE FROM billing_refetch r
     WHERE r.livemode = $1::boolean AND r.due_at <= now()
       AND (r.snapshots IS NOT NULL AND NOT EXISTS (
                SELECT FROM unnest(r.snapshots) AS s(id)
                 WHERE NOT EXISTS (SELECT FROM sluice_inbox e
                                    WHERE e.event_id = s.id AND e.subsystem = $2::text AND e.account = r.account
                                      AND e.livemode = r.livemode))
            OR EXISTS (SELECT FROM billing_account a
                        WHERE a.account = r.account AND a.livemode = r.livemode AND a.deauthorized_at IS NOT NULL))
    RETURNING 1)
SELECT count(*) FROM told
