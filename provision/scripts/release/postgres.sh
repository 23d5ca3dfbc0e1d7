# A whole Postgres server: dump | restore | ping | rows | login | change | version | client. Runs in the server's own container, whose environment is that of the
# official image, or of Bitnami's.
#
# A dump is a script for psql. It restores every database but template0 and template1 beside those in use, as
# berth_restoring_N, and then, in one transaction, gives them their names and the roles what they had: a dump that does not
# restore, or ends too early, changes nothing.
# shellcheck shell=sh
set -eu
# What a role or a database sets for its sessions is not meant for these.
export PGCONNECT_TIMEOUT=10 PGOPTIONS='-c client_min_messages=warning -c statement_timeout=0 -c lock_timeout=0 -c default_transaction_read_only=off'
SOCKET=${PGHOST:-}

# ask prints what the queries on standard input give in database $1 (template1), one value per line. They may name :oid and :number.
ask() {
  PGDATABASE=${1:-template1} PGCLIENTENCODING=UTF8 psql --no-password --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 \
    --set=oid="${oid:-0}" --set=number="${number:-0}"
}

# line prints its arguments, one per line and as they are: some shells' echo reads backslashes.
line() { printf '%s\n' "$@"; }

# given prints variable $1, from the file that $1_FILE names where it is not set. BERTH_NOW_$1 is what the database knows where the
# container's own environment is behind.
given() {
  value=$(printenv "BERTH_NOW_$1" || printenv "$1") || value=""
  file=$(printenv "$1_FILE") || file=""
  if [ -n "$value" ]; then printf '%s' "$value"; elif [ -r "$file" ]; then cat "$file"; fi
}

# login finds a superuser who can log in: only such a one sees every database and the passwords of roles.
login() {
  said="" found=""
  for user in "$(given POSTGRES_USER)" "$(given POSTGRESQL_USERNAME)" postgres; do
    [ -n "$user" ] || continue
    for variable in POSTGRES_PASSWORD POSTGRESQL_PASSWORD POSTGRESQL_POSTGRES_PASSWORD POSTGRES_POSTGRES_PASSWORD; do
      PGUSER=$user PGPASSWORD=$(given "$variable")
      [ -n "$PGPASSWORD" ] || [ "$variable" = POSTGRES_PASSWORD ] || continue
      for host in "$SOCKET" 127.0.0.1; do
        export PGUSER PGPASSWORD PGHOST="$host"
        # shellcheck disable=SC2310 # ask is one command
        if ! is=$(line 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user;' | ask 2>&1); then
          said=$is
        elif [ "$is" = t ]; then
          return 0
        else
          found=$user
        fi
      done
    done
  done
  if [ -n "$found" ]; then
    said="$found can log in, but is not a superuser, and only a superuser sees every database and role; give the container its superuser in POSTGRES_USER and POSTGRES_PASSWORD, or set berth:database"
  fi
  line "$said" >&2
  return 1
}

# ours matches the names of databases during a restore.
ours="'^berth_(restoring|replaced)_[0-9]+\$'"
# databases prints the oids of all that is dumped. One whose connection limit is -2 was being dropped when the server ended.
databases() { line "SELECT oid FROM pg_database WHERE datname NOT IN ('template0', 'template1') AND datname !~ $ours AND datconnlimit <> -2 ORDER BY oid;" | ask; }

# Settings as ALTER ROLE and ALTER DATABASE take them: those that are lists are kept as quoted names.
settings="CASE WHEN split_part(one, '=', 1) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries', 'shared_preload_libraries', 'unix_socket_directories')
  THEN coalesce((SELECT string_agg(quote_literal(coalesce(replace(m[1], '\"\"', '\"'), m[2])), ', ') FROM regexp_matches(substr(one, strpos(one, '=') + 1), '\"((?:[^\"]|\"\")*)\"|([^,\s]+)', 'g') AS m), '''''')
  ELSE quote_literal(substr(one, strpos(one, '=') + 1)) END"

# first prints what has to be there before the databases: roles and tablespaces. A comment marks what a restore made, so that
# one that fails can take it back.
first() {
  ask <<'SQL'
SELECT format($$SELECT format('CREATE ROLE %%1$I; COMMENT ON ROLE %%1$I IS ''berth restores''', role) FROM unnest(%L::text[]) AS role WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec$$,
  array_agg(rolname::text)) FROM pg_roles WHERE rolname !~ '^pg_';
SELECT format($$SELECT %L WHERE NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = %L) \gexec
SELECT %L WHERE NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = %L AND shobj_description(oid, 'pg_tablespace') IS NOT NULL) \gexec$$,
  format('CREATE TABLESPACE %I OWNER %I LOCATION %L', spcname, pg_get_userbyid(spcowner), pg_tablespace_location(oid)), spcname,
  format('COMMENT ON TABLESPACE %I IS ''berth restores''', spcname), spcname)
FROM pg_tablespace WHERE spcname !~ '^pg_';
SQL
}

# create prints the statement that makes database $oid beside the one in use.
create() {
  ask <<'SQL'
SELECT format('CREATE DATABASE berth_restoring_%s TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', :number, pg_encoding_to_char(encoding), datcollate, datctype)
  || CASE j->>'datlocprovider'
      WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(j->>'datlocale', j->>'daticulocale')) || coalesce(' ICU_RULES ' || quote_literal(j->>'daticurules'), '')
      WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', j->>'datlocale')
      ELSE '' END
  || CASE spcname WHEN 'pg_default' THEN '' ELSE format(' TABLESPACE %I', spcname) END || ';'
FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace, to_jsonb(d) AS j WHERE d.oid = :oid;
SQL
}

# properties prints what belongs to the databases themselves and is not in them: owners, rights, settings, comments.
properties() {
  ask <<SQL
WITH d AS (SELECT * FROM pg_database WHERE oid = ANY (string_to_array(:'oid', ' ')::oid[]))
SELECT statement FROM (
  SELECT oid, 1 AS rank, 0::bigint AS place, format('ALTER DATABASE %1\$I OWNER TO %2\$I; ALTER DATABASE %1\$I WITH CONNECTION LIMIT %3\$s IS_TEMPLATE %4\$s;', datname, pg_get_userbyid(datdba), datconnlimit, datistemplate::text) AS statement FROM d
  UNION ALL SELECT oid, 2, 0, format('COMMENT ON DATABASE %I IS %L;', datname, shobj_description(oid, 'pg_database')) FROM d WHERE shobj_description(oid, 'pg_database') IS NOT NULL
  UNION ALL SELECT oid, 3, 0, format('SECURITY LABEL FOR %I ON DATABASE %I IS %L;', provider, datname, label) FROM d JOIN pg_shseclabel ON objoid = oid AND classoid = 'pg_database'::regclass
  UNION ALL SELECT oid, 4, 0, format('REVOKE ALL ON DATABASE %1\$I FROM PUBLIC; REVOKE ALL ON DATABASE %1\$I FROM %2\$I;', datname, pg_get_userbyid(datdba)) FROM d WHERE datacl IS NOT NULL
  UNION ALL SELECT oid, 5, place, CASE WHEN grantor = datdba THEN '' ELSE format('SET SESSION AUTHORIZATION %I; ', pg_get_userbyid(grantor)) END
      || format('GRANT %s ON DATABASE %I TO %s', privilege_type, datname, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
      || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END || ';' || CASE WHEN grantor = datdba THEN '' ELSE ' RESET SESSION AUTHORIZATION;' END
    FROM d, aclexplode(datacl) WITH ORDINALITY AS a(grantor, grantee, privilege_type, is_grantable, place)
  UNION ALL SELECT d.oid, 6, place, CASE setrole WHEN 0 THEN format('ALTER DATABASE %I', datname) ELSE format('ALTER ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), datname) END
      || format(' SET %s TO ', (SELECT string_agg(quote_ident(part), '.') FROM unnest(string_to_array(split_part(one, '=', 1), '.')) AS part)) || $settings || ';'
    FROM d JOIN pg_db_role_setting ON setdatabase = d.oid, unnest(setconfig) WITH ORDINALITY AS c(one, place)
) AS all_of_them ORDER BY oid, rank, place;
SELECT format('ALTER ROLE ALL SET %s TO ', (SELECT string_agg(quote_ident(part), '.') FROM unnest(string_to_array(split_part(one, '=', 1), '.')) AS part)) || $settings || ';'
FROM pg_db_role_setting, unnest(setconfig) AS one WHERE setdatabase = 0 AND setrole = 0;
SQL
}

# names prints what does not come back, as it is found out when the dump is restored.
names() {
  ask <<SQL
SELECT format(\$\$SELECT format('database %%I is not in the dump and stays as it is', datname) FROM pg_database WHERE datname NOT IN ('template0', 'template1') AND datname !~ %L AND NOT datname = ANY (%L::text[]);\$\$,
  $ours, array_agg(datname::text)) FROM pg_database WHERE oid = ANY (string_to_array(:'oid', ' ')::oid[]);
SELECT format(\$\$SELECT format('role %%I is not in the dump and stays as it is', rolname) FROM pg_roles WHERE rolname !~ '^pg_' AND NOT rolname = ANY (%L::text[]);\$\$, array_agg(rolname::text)) FROM pg_roles WHERE rolname !~ '^pg_';
SELECT format(\$\$SELECT %L;\$\$, format('subscription %I of database %I comes back disabled: what its publisher sent since the dump would be missing; enable it: ALTER SUBSCRIPTION %1\$I ENABLE', subname, datname))
FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE subenabled;
SELECT format(\$\$WITH now AS (SELECT name, md5(setting) FROM pg_file_settings WHERE sourcefile ~ 'auto.conf\$'), before AS (SELECT * FROM unnest(%L::text[], %L::text[]))
  SELECT DISTINCT format('the setting %%s of ALTER SYSTEM stays as it is now, which is not what it was', name) FROM ((SELECT * FROM now EXCEPT SELECT * FROM before) UNION ALL (SELECT * FROM before EXCEPT SELECT * FROM now)) AS changed(name, setting);\$\$,
  coalesce(array_agg(name), '{}'), coalesce(array_agg(md5(setting)), '{}')) FROM pg_file_settings WHERE sourcefile ~ 'auto.conf\$';
SQL
}

# reset prints what takes from the roles of the dump what they have by now: statements to give follow it.
reset() {
  ask <<'SQL'
SELECT format($$DO $berth$
DECLARE r record; roles text[] := %L;
BEGIN
  FOR r IN SELECT rolname, rolvaliduntil FROM pg_roles WHERE rolname = ANY (roles) LOOP
    EXECUTE format('ALTER ROLE %%1$I PASSWORD NULL; ALTER ROLE %%1$I RESET ALL; COMMENT ON ROLE %%1$I IS NULL', r.rolname);
    IF r.rolvaliduntil IS NOT NULL THEN EXECUTE format('ALTER ROLE %%I VALID UNTIL ''infinity''', r.rolname); END IF;
  END LOOP;
  FOR r IN SELECT a.roleid::regrole AS role, a.member::regrole AS member, g.rolname AS grantor FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member LEFT JOIN pg_roles g ON g.oid = a.grantor WHERE m.rolname = ANY (roles) LOOP
    EXECUTE format('REVOKE %%s FROM %%s', r.role, r.member) || CASE WHEN current_setting('server_version_num')::int >= 160000 THEN format(' GRANTED BY %%I', r.grantor) ELSE '' END || ' CASCADE';
  END LOOP;
  FOR r IN SELECT spcname FROM pg_tablespace WHERE shobj_description(oid, 'pg_tablespace') = 'berth restores' LOOP
    EXECUTE format('COMMENT ON TABLESPACE %%I IS NULL', r.spcname);
  END LOOP;
END $berth$;
ALTER ROLE ALL RESET ALL;$$, array_agg(rolname::text)) FROM pg_roles WHERE rolname !~ '^pg_';
SQL
}

# switch prints what gives the databases their names. A rename locks a database against new connections; one that comes
# between the end of the others and the lock is ended in the next try.
switch() {
  ask <<'SQL'
SELECT format($$DO $berth$
DECLARE d record; tries int := 0;
BEGIN
  FOR d IN SELECT * FROM unnest(%L::text[]) WITH ORDINALITY AS t(name, n) LOOP
    LOOP
      BEGIN
        PERFORM pg_stat_clear_snapshot();
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (d.name, 'berth_restoring_' || d.n) AND pid <> pg_backend_pid();
        IF EXISTS (SELECT FROM pg_database WHERE datname = d.name) THEN
          EXECUTE format('ALTER DATABASE %%I RENAME TO berth_replaced_%%s', d.name, d.n);
        END IF;
        EXECUTE format('ALTER DATABASE berth_restoring_%%s RENAME TO %%I', d.n, d.name);
        EXIT;
      EXCEPTION WHEN object_in_use THEN
        tries := tries + 1;
        IF tries >= 20 THEN RAISE; END IF;
      END;
    END LOOP;
  END LOOP;
END $berth$;$$, array_agg(datname::text ORDER BY oid)) FROM pg_database WHERE oid = ANY (string_to_array(:'oid', ' ')::oid[]);
SQL
}

dump() {
  closed=$(line "SELECT string_agg(quote_ident(datname), ', ') FROM pg_database WHERE NOT datallowconn AND datname NOT IN ('template0', 'template1') AND datname !~ $ours AND datconnlimit <> -2;" | ask)
  if [ -n "$closed" ]; then
    line "database $closed takes no connections, so what it holds cannot be dumped; open it (ALTER DATABASE $closed WITH ALLOW_CONNECTIONS true), or drop it" >&2
    return 1
  fi
  oids=$(databases)
  line '-- Berth: a whole Postgres server; restore it with: sudo /opt/berth/deploy.sh rollback --with-database'
  first
  # Timescale's own catalogue is written to only between two calls of its functions.
  available=$(line "SELECT name FROM pg_available_extensions WHERE name = 'timescaledb';" | ask)
  number=0
  for oid in $oids; do
    number=$((number + 1))
    create
    printf '\\connect berth_restoring_%s\n' "$number"
    name=$(line 'SELECT datname FROM pg_database WHERE oid = :oid;' | ask)
    timescale=""
    [ -z "$available" ] || timescale=$(line "SELECT format('CREATE EXTENSION timescaledb WITH SCHEMA %I;', nspname) FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'timescaledb';" | ask "$name")
    [ -z "$timescale" ] || printf '%s\nSELECT timescaledb_pre_restore();\n' "$timescale"
    PGDATABASE=$name pg_dump --no-password --format=plain
    [ -z "$timescale" ] || line 'SELECT timescaledb_post_restore();'
  done
  oid=$(line "$oids" | tr '\n' ' ')
  oid=${oid% }
  line '\connect template1'
  line '\o'
  names
  line '\o /dev/null'
  line 'BEGIN;'
  reset
  shared=$(pg_dumpall --no-password --database=template1 --quote-all-identifiers --roles-only)
  line "$shared" | sed '/^CREATE ROLE ".*";$/d'
  shared=$(pg_dumpall --no-password --database=template1 --quote-all-identifiers --tablespaces-only)
  line "$shared" | sed '/^CREATE TABLESPACE ".*;$/d'
  switch
  properties
  line 'COMMIT; \echo berth-restored'
}

# drop_like drops the databases whose names match $1. One with a subscription could not be dropped.
drop_like() {
  names=$(line "SELECT datname FROM pg_database WHERE datname ~ '$1';" | ask)
  for name in $names; do
    ask "$name" <<'SQL'
SELECT format('ALTER SUBSCRIPTION %1$I DISABLE; ALTER SUBSCRIPTION %1$I SET (slot_name = NONE); DROP SUBSCRIPTION %1$I', subname)
FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database() \gexec
SQL
    printf 'ALTER DATABASE %s IS_TEMPLATE false;\nDROP DATABASE %s WITH (FORCE);\n' "$name" "$name" | ask
  done
}

# take_back removes what a restore made that did not come to its end.
take_back() {
  drop_like '^berth_restoring_[0-9]+$'
  ask <<'SQL'
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = 'berth restores' \gexec
SELECT format('DROP TABLESPACE %I', spcname) FROM pg_tablespace WHERE shobj_description(oid, 'pg_tablespace') = 'berth restores' \gexec
SQL
}

# restore reads a dump from standard input, and prints what does not come back.
restore() {
  drop_like '^berth_(restoring|replaced)_[0-9]+$' </dev/null
  take_back </dev/null
  IFS= read -r head || head=""
  case $head in
    '-- Berth: a whole Postgres '*) ;;
    *)
      line "this is no dump of a whole server; the databases are as they were" >&2
      return 1
      ;;
  esac
  trap 'exit 1' TERM INT HUP
  trap 'take_back </dev/null' EXIT
  # An error is said without the rows that it is about.
  said=$(PGDATABASE=template1 PGCLIENTENCODING=UTF8 psql --no-password --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 \
    --set=VERBOSITY=terse --set=SHOW_CONTEXT=never --output=/dev/null)
  case $said in
    *berth-restored) ;;
    *)
      line "the dump ends too early; the databases are as they were" >&2
      return 1
      ;;
  esac
  trap - EXIT
  printf '%s\n' "${said%berth-restored}" | sed '/^$/d'
  line "SELECT format('the logical replication slot %I of a database that was replaced goes with it', slot_name) FROM pg_replication_slots JOIN pg_database ON datname = database WHERE datname ~ '^berth_replaced_[0-9]+\$';" | ask
  # shellcheck disable=SC2310 # what stays is said, and may
  drop_like '^berth_replaced_[0-9]+$' </dev/null || line "a database that was replaced could not be dropped, and takes up room as berth_replaced_N"
}

# rows prints for every database how many rows its tables hold.
rows() {
  oids=$(databases)
  for oid in $oids; do
    name=$(line 'SELECT datname FROM pg_database WHERE oid = :oid;' | ask)
    total=0
    counts=$(line "SELECT format('SELECT count(*) FROM %I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relkind = 'r' AND relpersistence <> 't' AND nspname NOT IN ('pg_catalog', 'information_schema') \\gexec" | ask "$name")
    for count in $counts; do
      total=$((total + count))
    done
    line "$total $name"
  done
}

# enters says whether user $1 gets into database $3 with password $2 over the network, by Postgres' own answer: yes, no or unknown.
enters() {
  # shellcheck disable=SC2310 # psql is one command
  if said=$(printf 'SELECT 1;' | PGUSER=$1 PGPASSWORD=$2 PGDATABASE=$3 PGHOST=$BERTH_HOST LC_ALL=C psql --no-password --no-psqlrc --quiet --output=/dev/null 2>&1); then
    line yes
  else
    case $said in
      # It asks for the database after the password.
      *'" does not exist'*) case $said in *'role "'*) line no ;; *) line yes ;; esac ;;
      *'authentication failed for user'*) line no ;;
      *) line unknown ;;
    esac
  fi
}

# logins prints "VARIABLE USER" for each user whose new password, in BERTH_NEW_VARIABLE, is refused where the old one is not, and
# "unknown USER" where that cannot be told: the server lets in whoever comes, or does not answer, or refuses the old one as well.
logins() {
  for pair in POSTGRES_PASSWORD:POSTGRES_USER POSTGRESQL_PASSWORD:POSTGRESQL_USERNAME POSTGRESQL_POSTGRES_PASSWORD: POSTGRES_POSTGRES_PASSWORD:; do
    variable=${pair%:*} name=${pair#*:}
    new=$(printenv "BERTH_NEW_$variable") || continue
    old=$(given "$variable") new_user=postgres old_user=postgres
    [ -z "$name" ] || { new_user=$(printenv "BERTH_NEW_$name") || new_user=postgres; }
    [ -z "$name" ] || old_user=$(given "$name")
    if [ -z "$new" ] || [ "$new:$new_user" = "$old:${old_user:-postgres}" ]; then continue; fi
    database=$(printenv BERTH_NEW_POSTGRES_DB || printenv BERTH_NEW_POSTGRESQL_DATABASE) || database=$new_user
    with_new=$(enters "$new_user" "$new" "$database")
    with_wrong=$(enters "$new_user" "$new-wrong" "$database")
    with_old=$(enters "${old_user:-postgres}" "$old" "$database")
    case $with_new:$with_wrong:$with_old in
      yes:no:*) ;;
      no:no:yes) line "$variable $new_user" ;;
      *) line "unknown $new_user" ;;
    esac
  done
}

# change gives the users that logins names their new passwords. They reach psql by its environment, and no log of the server's.
change() {
  refused=$(logins)
  line "$refused" | while read -r variable user; do
    case $variable in "" | unknown) continue ;; esac
    password=$(printenv "BERTH_NEW_$variable")
    BERTH_USER=$user BERTH_PASSWORD=$password ask <<'SQL'
\set user `printenv BERTH_USER`
\set password `printenv BERTH_PASSWORD`
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET pg_stat_statements.track_utility = off;
ALTER ROLE :"user" PASSWORD :'password';
SQL
  done
}

if [ "$1" = login ]; then
  logins
  exit
fi
login
case $1 in
  change) change ;;
  version)
    line "SHOW server_version;" | ask
    line "SHOW data_directory;" | ask
    ;;
  dump) dump ;;
  restore) restore ;;
  rows) rows ;;
  client)
    unset PGOPTIONS
    PGDATABASE=$(given POSTGRES_DB)
    PGDATABASE=${PGDATABASE:-$(given POSTGRESQL_DATABASE)}
    export PGDATABASE="${PGDATABASE:-$PGUSER}"
    exec psql
    ;;
  ping) ;;
esac
