-- The functions of a name, one row per argument that a caller gives (one row without an argument when there is none).
-- $1 is the schema, '' for what the search path finds. An argument with a default may be left out.
SELECT p.oid::text AS function, p.prokind AS kind, p.proretset AS returns_set, a.name, format_type(a.type, NULL) AS type,
       a.place > p.pronargs - p.pronargdefaults AS has_default
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  LEFT JOIN LATERAL (
        SELECT name, type, row_number() OVER (ORDER BY place) AS place
          FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]),
                      coalesce(p.proargmodes, array_fill('i'::"char", ARRAY[p.pronargs::integer])),
                      coalesce(p.proargnames, array_fill(''::text, ARRAY[p.pronargs::integer])))
               WITH ORDINALITY AS i(type, mode, name, place)
         WHERE mode IN ('i', 'b', 'v')) a ON true
 WHERE p.proname = $2::text
   AND CASE WHEN $1::text = '' THEN pg_function_is_visible(p.oid) ELSE n.nspname = $1::text END
 ORDER BY p.oid, a.place
