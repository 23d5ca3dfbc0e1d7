-- What a database's catalogue says, one line per row of every system table, without the numbers that a restore assigns again: an
-- object's number is its name, whatever column holds it. Then what the tables, sequences and large objects hold.
\set ON_ERROR_STOP 1
SET search_path = pg_catalog;
WITH skipped(name) AS (VALUES ('pg_statistic'), ('pg_statistic_ext_data'), ('pg_largeobject'), ('pg_replication_origin')),
columns AS (
  SELECT c.oid, c.relname, a.attnum, a.attname, a.atttypid::regtype::text AS type, f.pktable, f.is_array,
    EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'oid') AS has_oid
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
  LEFT JOIN pg_get_catalog_foreign_keys() f ON f.fktable = c.oid AND f.fkcols = ARRAY[a.attname::text] AND f.pkcols = '{oid}'
  WHERE c.relkind = 'r' AND c.relnamespace = 'pg_catalog'::regnamespace AND relname NOT IN (SELECT name FROM skipped)
    AND attname !~ '(frozenxid|minmxid|relpages|reltuples|relallvisible|relfilenode|relhas|datcollversion|reltype|reltoastrelid|subskiplsn)$'
    -- A partition's key is its own or its table's, whichever came first.
    AND attname NOT IN ('conislocal', 'coninhcount', 'connoinherit'))
SELECT format('SELECT %L || %s::text FROM %I WHERE %s ORDER BY 1', relname || ' ',
  'jsonb_build_object(' || string_agg(format('%L, ', attname) || CASE
    WHEN attname = 'oid' AND relname = 'pg_enum' THEN 'NULL'
    WHEN attname = 'oid' THEN format('(SELECT identity FROM pg_identify_object(%L::regclass, oid, 0))', relname)
    WHEN attname IN ('objid', 'refobjid') AND relname IN ('pg_depend', 'pg_description', 'pg_seclabel', 'pg_init_privs') THEN
      CASE attname WHEN 'objid' THEN '(SELECT type || '' '' || identity FROM pg_identify_object(classid, objid, objsubid))' ELSE '(SELECT type || '' '' || identity FROM pg_identify_object(refclassid, refobjid, refobjsubid))' END
    WHEN attname = 'objoid' THEN format('(SELECT type || '' '' || identity FROM pg_identify_object(classoid, objoid, %s))', CASE WHEN relname ~ '^pg_sh' THEN '0' ELSE 'objsubid' END)
    WHEN pktable IS NOT NULL AND is_array THEN format('(SELECT array_agg((SELECT identity FROM pg_identify_object(%L::regclass, one, 0))) FROM unnest(%I::oid[]) AS one WHERE one <> 0)', pktable::text, attname)
    WHEN pktable IS NOT NULL THEN format('(SELECT identity FROM pg_identify_object(%L::regclass, %I, 0) WHERE %2$I <> 0)', pktable::text, attname)
    WHEN type IN ('pg_node_tree', 'oid', 'oid[]', 'xid') THEN 'NULL'
    ELSE quote_ident(attname) || '::text' END, ', ' ORDER BY attnum) || ')', relname,
  -- What initdb made has small numbers; a table for long rows is named after another's number.
  CASE WHEN relname IN ('pg_class', 'pg_index', 'pg_attribute') THEN format('%s IN (SELECT oid FROM pg_class WHERE oid >= 16384 AND relnamespace::regnamespace::text !~ ''^pg_(toast|temp)'')',
      CASE relname WHEN 'pg_class' THEN 'oid' WHEN 'pg_index' THEN 'indexrelid' ELSE 'attrelid' END)
    WHEN relname = 'pg_depend' THEN 'objid >= 16384 AND (objid IN (SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text !~ ''^pg_(toast|temp)'')
      OR classid NOT IN (''pg_class''::regclass, ''pg_constraint''::regclass, ''pg_attrdef''::regclass, ''pg_trigger''::regclass, ''pg_rewrite''::regclass))'
    WHEN relname = 'pg_shdepend' THEN 'false' WHEN relname = 'pg_trigger' THEN 'NOT tgisinternal' WHEN relname = 'pg_aggregate' THEN 'aggfnoid >= 16384' WHEN relname = 'pg_namespace' THEN 'nspname !~ ''^pg_(toast|temp)'''
    WHEN relname IN ('pg_description', 'pg_init_privs', 'pg_seclabel') THEN 'objoid >= 16384'
    WHEN has_oid AND relname NOT IN ('pg_database', 'pg_authid', 'pg_tablespace', 'pg_extension', 'pg_language') THEN 'oid >= 16384' ELSE 'true' END)
FROM columns GROUP BY oid, relname, has_oid ORDER BY relname \gexec
SELECT 'definition ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint ORDER BY 1;
SELECT 'definition ' || pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace <> 'pg_toast'::regnamespace ORDER BY 1;
SELECT 'definition ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1;
SELECT 'definition ' || pg_get_ruledef(oid) FROM pg_rewrite ORDER BY 1;
SELECT 'definition ' || adrelid::regclass || ' ' || adnum || ' ' || pg_get_expr(adbin, adrelid) FROM pg_attrdef ORDER BY 1;
SELECT 'definition ' || polrelid::regclass || ' ' || polname || coalesce(pg_get_expr(polqual, polrelid), '') || coalesce(pg_get_expr(polwithcheck, polrelid), '') FROM pg_policy ORDER BY 1;
SELECT 'definition ' || pg_get_functiondef(oid) FROM pg_proc WHERE prokind IN ('f', 'p') AND pronamespace <> 'pg_catalog'::regnamespace ORDER BY 1;
SELECT format('SELECT %L || count(*) || '' '' || coalesce(md5(string_agg(t::text, ''|'' ORDER BY t::text)), '''') FROM %s AS t', 'rows ' || oid::regclass || ' ', oid::regclass)
FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) AND relpersistence <> 't' AND relispopulated
AND relnamespace::regnamespace::text !~ '^pg_toast' ORDER BY oid::regclass::text \gexec
SELECT format('SELECT %L || last_value || '' '' || is_called FROM %s', 'sequence ' || oid::regclass || ' ', oid::regclass) FROM pg_class WHERE relkind = 'S' ORDER BY oid::regclass::text \gexec
SELECT 'large object ' || loid || ' ' || pageno || ' ' || md5(data) FROM pg_largeobject ORDER BY loid, pageno;
