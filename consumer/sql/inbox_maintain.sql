-- Once a day: the weeks ahead exist, the weeks past retention are gone, the default partition is pruned a little.
-- $1: how long rows are kept, in milliseconds.
SELECT sluice_inbox_make_partitions() AS made,
       sluice_inbox_drop_partitions($1::bigint * interval '1 millisecond') AS dropped,
       sluice_inbox_prune_default($1::bigint * interval '1 millisecond') AS pruned
