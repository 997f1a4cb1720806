-- Once a day: the weeks ahead exist, the weeks past retention are gone, the default partition is pruned a little.
SELECT sluice_inbox_make_partitions() AS made, sluice_inbox_drop_partitions() AS dropped,
       sluice_inbox_prune_default() AS pruned
