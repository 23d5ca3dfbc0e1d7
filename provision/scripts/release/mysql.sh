# A whole MySQL or MariaDB server: dump | restore | ping | rows | login | change | version | client. Runs in the server's own container, whose environment is that
# of the official images, or of Bitnami's.
#
# A dump is SQL. It restores the tables of every database beside those in use, in berth_restoring_N, and then has them take the
# place of the others. Views, routines, triggers and events cannot be moved, and are made where they belong, after that.
# shellcheck shell=sh
# shellcheck disable=SC2016,SC2310,SC2312 # backquotes of SQL; text, name, role and first cannot fail; ask is one command
set -eu

# line prints its arguments, one per line and as they are: some shells' echo reads backslashes.
line() { printf '%s\n' "$@"; }

# given prints variable $1, from the file that $1_FILE names where it is not set. BERTH_NOW_$1 is what the database knows where the
# container's own environment is behind.
given() {
  value=$(printenv "BERTH_NOW_$1" || printenv "$1") || value=""
  file=$(printenv "$1_FILE") || file=""
  if [ -n "$value" ]; then printf '%s' "$value"; elif [ -r "$file" ]; then cat "$file"; fi
}

# first is the first of two programs that there is, or the second.
first() { if command -v "$1" >/dev/null; then line "$1"; else line "$2"; fi; }

# as_root runs a client with an option file, since a command line can be read by others.
as_root() {
  program=$1
  shift
  escaped=$(
    sed 's/[\\"]/\\&/g' <<END
$PASSWORD
END
  )
  "$program" --defaults-extra-file=/dev/fd/3 "$@" 3<<END
[client]
user=root
password="$escaped"
default-character-set=utf8mb4
END
}

# ask prints what a statement gives, one row per line.
ask() { as_root "$CLIENT" --batch --skip-column-names --raw --execute "$1"; }

# login finds root's password, or none where root of the container needs none.
login() {
  said=""
  for variable in MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD ""; do
    PASSWORD=$([ -z "$variable" ] || given "$variable")
    [ -n "$PASSWORD" ] || [ -z "$variable" ] || continue
    # shellcheck disable=SC2310 # ask is one command
    ! said=$(ask 'SELECT 1' 2>&1) || return 0
  done
  line "$said" "root cannot log in with MARIADB_ROOT_PASSWORD or MYSQL_ROOT_PASSWORD, nor without a password, and only root sees every database and user; give the container root's password, or set berth:database" >&2
  return 1
}

# offers prints those of the options $2… that program $1 knows.
offers() {
  help=$("$1" --no-defaults --help --verbose 2>/dev/null)
  shift
  for option in "$@"; do
    case $help in *"${option%%=*}"*) line "$option" ;; esac
  done
}

own_users="'mariadb.sys', 'mysql.sys', 'mysql.session', 'mysql.infoschema', 'PUBLIC'"
own="'mysql', 'information_schema', 'performance_schema', 'sys', 'ndbinfo'"
databases() { ask "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ($own) AND schema_name NOT LIKE 'berth\\_restoring\\_%' ORDER BY schema_name"; }

# name and text print $1 as SQL takes a name and a text.
name() { line "$1" | sed 's/`/``/g; s/^/`/; s/$/`/'; }
text() { line "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/''/g; s/^/'/; s/\$/'/"; }

# accounts prints the users and roles as SQL names them. MariaDB's own are part of every server.
accounts() {
  ask "SELECT CONCAT(QUOTE(user), '@', QUOTE(host)) FROM mysql.user WHERE $1 AND user NOT IN ($own_users) ORDER BY user, host"
}

# made prints the statements that make user $1, or change the one that is there. A role of MySQL's is a user, which has to be
# granted before it can be the default.
made() {
  # A hash of MySQL's may hold any byte.
  create=$(ask "/*!80017 SET print_identified_with_as_hex = 1 */; SHOW CREATE USER $1")
  create=$(line "${create#CREATE USER }" | sed 's/ DEFAULT ROLE .* REQUIRE / REQUIRE /')
  line "CREATE USER IF NOT EXISTS $create;" "ALTER USER $create;"
}
default_role() {
  create=$(ask "SHOW CREATE USER $1")
  line "$create" | sed -n 's/.* DEFAULT ROLE \(.*\) REQUIRE .*/\1/p' | sed "s/.*/SET DEFAULT ROLE & TO $1;/"
}

# role is a role's name, which has no host.
role() { line "${1%@*}"; }
role_made() { line "CREATE ROLE IF NOT EXISTS $(role "$1");"; }

# users prints what makes the users and roles; grants, what gives them their rights, once there is what these are for.
users() {
  for_each "$roles" role_made
  for_each "$users" made
}
grants() {
  for_each "$roles" granted_to_role
  for_each "$users" granted
  for_each "$users" default_role
}
granted_to_role() {
  rights=$(ask "SHOW GRANTS FOR $(role "$1")")
  line "REVOKE ALL PRIVILEGES, GRANT OPTION FROM $(role "$1");"
  line "$rights" | sed 's/$/;/'
}
# What a user has by now and the dump does not goes first; root's own rights stay, or rights could not be given at all.
granted() {
  rights=$(ask "SHOW GRANTS FOR $1")
  case $1 in
    "'root'@"*) ;;
    *) line "REVOKE ALL PRIVILEGES, GRANT OPTION FROM $1;" ;;
  esac
  line "$rights" | sed 's/$/;/'
}

# for_each runs a command for each line of $1.
for_each() {
  while IFS= read -r entry; do
    [ -z "$entry" ] || "$2" "$entry" </dev/null
  done <<END
$1
END
}

# alone is a procedure that ends everybody else's connection: an open transaction would keep a database from being dropped.
alone() {
  cat <<'SQL'
DROP DATABASE IF EXISTS berth_restoring_0;
CREATE DATABASE berth_restoring_0;
DELIMITER ;;
CREATE PROCEDURE berth_restoring_0.alone() BEGIN
  DECLARE one BIGINT; DECLARE done INT DEFAULT 0;
  DECLARE others CURSOR FOR SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user NOT IN ('system user', 'event_scheduler') AND command NOT IN ('Daemon', 'Binlog Dump');
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
  DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
  OPEN others;
  FETCH others INTO one;
  WHILE done = 0 DO KILL one; FETCH others INTO one; END WHILE;
END ;;
DELIMITER ;
SET SESSION lock_wait_timeout = 60;
SQL
}

# switch prints what puts database $1, with the properties $2, in the place of the one in use; number $3 has its tables.
switch() {
  target=$(name "$1")
  cat <<SQL
CALL berth_restoring_0.alone();
DROP DATABASE IF EXISTS $target;
CREATE DATABASE $target $2;
SELECT COALESCE(CONCAT('RENAME TABLE ', GROUP_CONCAT(CONCAT('berth_restoring_$3.\`', REPLACE(table_name, '\`', '\`\`'), '\` TO ', $(text "$target"), '.\`', REPLACE(table_name, '\`', '\`\`'), '\`') SEPARATOR ', ')), 'DO 0')
  INTO @berth FROM information_schema.tables WHERE table_schema = 'berth_restoring_$3' AND table_type <> 'VIEW';
PREPARE berth FROM @berth;
EXECUTE berth;
DEALLOCATE PREPARE berth;
DROP DATABASE berth_restoring_$3;
SQL
}

# properties prints what database $1 gives to the tables that are made in it.
properties() {
  ask "SELECT CONCAT('CHARACTER SET ', default_character_set_name, ' COLLATE ', default_collation_name) FROM information_schema.schemata WHERE schema_name = $(text "$1")"
}

# ignored prints options by which a dump passes over tables that meet a condition.
ignored() { ask "SELECT CONCAT('--ignore-table=', table_schema, '.', table_name) FROM information_schema.tables WHERE table_schema NOT IN ($own) AND $1"; }

# beside prints the databases as berth_restoring_N, with tables and rows.
beside() {
  number=0
  for database in $found; do
    number=$((number + 1))
    having=$(properties "$database")
    line "CREATE DATABASE berth_restoring_$number $having;" "USE berth_restoring_$number;"
    views=$(ignored "table_schema = $(text "$database") AND table_type = 'VIEW'")
    # shellcheck disable=SC2086 # an option a line
    as_root "$DUMPER" --single-transaction --quick --hex-blob --skip-triggers --skip-dump-date $options $views "$database"
  done
}

# definitions prints what is made where it belongs: what runs first, since a view may call it.
definitions() {
  [ -n "$found" ] || return 0
  tables=$(ignored "table_type <> 'VIEW'")
  # shellcheck disable=SC2086 # an option a line
  as_root "$DUMPER" --no-data --no-create-info --no-create-db --routines --triggers --events --skip-dump-date $gtid --databases $found
  # shellcheck disable=SC2086 # see above
  as_root "$DUMPER" --no-data --no-create-db --skip-triggers --skip-dump-date $gtid $tables --databases $found
}

# staying prints what names that which is not in the dump: of kind $1, in column $2 of table $3, where it is none of $4.
staying() {
  list="''"
  while IFS= read -r one; do list="$list, $(text "$one")"; done <<END
$4
END
  line "SELECT CONCAT('$1 ', $2, ' is not in the dump and stays as it is') FROM $3 AND $2 NOT IN ($list);"
}

dump() {
  set -f
  IFS='
'
  gtid=$(offers "$DUMPER" --set-gtid-purged=OFF)
  options=$gtid$IFS$(offers "$DUMPER" --dump-history)
  found=$(databases) roles="" users=""
  has_roles=$(ask "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'mysql' AND table_name = 'user' AND column_name = 'is_role'")
  if [ "$has_roles" -eq 0 ]; then
    users=$(accounts true)
  else
    users=$(accounts "is_role = 'N'")
    roles=$(accounts "is_role = 'Y'")
  fi
  line '-- Berth: a whole MySQL or MariaDB server; restore it with: sudo /opt/berth/deploy.sh rollback --with-database' \
    'SET NAMES utf8mb4; SET FOREIGN_KEY_CHECKS = 0; SET SESSION group_concat_max_len = 1073741824;'
  beside
  line "SELECT 'berth-switches';"
  staying database schema_name "information_schema.schemata WHERE schema_name NOT LIKE 'berth\\_restoring\\_%' AND schema_name NOT IN ($own)" "$found"
  staying user "CONCAT(QUOTE(user), '@', QUOTE(host))" "mysql.user WHERE user NOT IN ($own_users)" "$users$IFS$roles"
  alone
  users
  number=0
  for database in $found; do
    number=$((number + 1))
    having=$(properties "$database")
    switch "$database" "$having" "$number"
  done
  definitions
  grants
  line 'DROP DATABASE berth_restoring_0;' 'FLUSH PRIVILEGES;' "SELECT 'berth-restored';"
}

# take_back removes what a restore made that did not come to its end.
take_back() {
  left=$(ask "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'berth\\_restoring\\_%'")
  for one in $left; do ask "DROP DATABASE $one"; done
}

# restore reads a dump from standard input, and prints what does not come back.
restore() {
  take_back </dev/null
  IFS= read -r head || head=""
  case $head in
    '-- Berth: a whole MySQL '*) ;;
    *)
      line "this is no dump of a whole server; the databases are as they were" >&2
      return 1
      ;;
  esac
  trap 'exit 1' TERM INT HUP
  trap 'take_back </dev/null' EXIT
  # The client prints the statement that fails, with what is in it; its last word tells how it ended.
  said=$({ as_root "$CLIENT" --batch --skip-column-names --raw 2>&1 >&4 | sed -n "/^ERROR/s/ near '.*//p" >&2; } 4>&1)
  case $said in
    *berth-restored)
      line "$said" | sed '/^berth-/d'
      return
      ;;
    *berth-switches*) line "the restore ended while databases were being exchanged: some are as in the dump, one may be missing; restore again, it starts from the beginning" >&2 ;;
    *) line "the dump does not restore, or ends too early; the databases are as they were" >&2 ;;
  esac
  return 1
}

# rows prints for every database how many rows its tables hold.
rows() {
  IFS='
'
  found=$(databases)
  for database in $found; do
    queries=$(ask "SELECT CONCAT('SELECT COUNT(*) FROM \`', REPLACE(table_schema, '\`', '\`\`'), '\`.\`', REPLACE(table_name, '\`', '\`\`'), '\`;') FROM information_schema.tables WHERE table_schema = $(text "$database") AND table_type NOT IN ('VIEW', 'SEQUENCE')")
    # One argument of a command has its limit.
    counts=$(line "$queries" | as_root "$CLIENT" --batch --skip-column-names)
    total=0
    for count in $counts; do total=$((total + count)); done
    line "$total $database"
  done
}

# enters says whether user $1 gets in with password $2 over the network, by the server's own answer: yes, no or unknown.
enters() {
  escaped=$(
    sed 's/[\\"]/\\&/g' <<END
$2
END
  )
  if said=$(
    "$CLIENT" --defaults-extra-file=/dev/fd/3 --protocol=tcp --connect-timeout=10 --execute 'DO 0' 2>&1 3<<END
[client]
host=$BERTH_HOST
user="$1"
password="$escaped"
END
  ); then
    line yes
  else
    case $said in *'ERROR 1045'*) line no ;; *) line unknown ;; esac
  fi
}

# logins prints "VARIABLE USER" for each user whose new password, in BERTH_NEW_VARIABLE, is refused where the old one is not, and
# "unknown USER" where that cannot be told: the server lets in whoever comes, or does not answer, or refuses the old one as well.
logins() {
  for pair in MARIADB_ROOT_PASSWORD: MYSQL_ROOT_PASSWORD: MARIADB_PASSWORD:MARIADB_USER MYSQL_PASSWORD:MYSQL_USER; do
    variable=${pair%:*} name=${pair#*:}
    new=$(printenv "BERTH_NEW_$variable") || continue
    old=$(given "$variable") new_user=root old_user=root
    [ -z "$name" ] || { new_user=$(printenv "BERTH_NEW_$name") || continue; }
    [ -z "$name" ] || old_user=$(given "$name")
    if [ -z "$new" ] || [ "$new:$new_user" = "$old:$old_user" ]; then continue; fi
    with_new=$(enters "$new_user" "$new")
    with_wrong=$(enters "$new_user" "$new-wrong")
    with_old=$(enters "$old_user" "$old")
    case $with_new:$with_wrong:$with_old in
      yes:no:*) ;;
      no:no:yes) line "$variable $new_user" ;;
      *) line "unknown $new_user" ;;
    esac
  done
}

# change gives the users that logins names their new passwords, at the hosts for which the images make them. All of it is one
# session: root's own comes into force at once.
change() {
  refused=$(logins)
  statements=$(line "$refused" | while read -r variable user; do
    case $variable in "" | unknown) continue ;; esac
    ask "SELECT host FROM mysql.user WHERE user = $(text "$user") AND host IN ('%', 'localhost') AND plugin NOT IN ('unix_socket', 'auth_socket')" | while read -r host; do
      line "ALTER USER $(text "$user")@$(text "$host") IDENTIFIED BY $(text "$(printenv "BERTH_NEW_$variable")");"
    done
  done)
  line "$statements" | as_root "$CLIENT"
}

CLIENT=$(first mariadb mysql) DUMPER=$(first mariadb-dump mysqldump)
if [ "$1" = login ]; then
  logins
  exit
fi
login
case $1 in
  change) change ;;
  version)
    ask 'SELECT VERSION()'
    ask 'SELECT @@datadir'
    ;;
  dump) dump ;;
  restore) restore ;;
  rows) rows ;;
  client)
    database=$(given MARIADB_DATABASE)
    database=${database:-$(given MYSQL_DATABASE)}
    as_root "$CLIENT" ${database:+"$database"}
    ;;
  ping) ;;
esac
