#!/bin/sh
# Makes the data folder on the first start, sets root's password from MYSQL_ROOT_PASSWORD and makes MYSQL_DATABASE
# (default: test), then becomes the server.
set -eu
: "${MYSQL_ROOT_PASSWORD:?must be set}"
data=/var/lib/mysql
done_mark=$data/.initialised

if [ ! -e "$done_mark" ]; then
  find "$data" -mindepth 1 -delete
  chown mysql:mysql "$data"
  mariadb-install-db --user=mysql --datadir="$data" --skip-test-db --auth-root-authentication-method=normal >/dev/null
  touch "$done_mark"
fi

# Read by the server before it takes connections, so that nobody ever gets in without the password.
password=$(printf '%s' "$MYSQL_ROOT_PASSWORD" | sed -e 's/\\/\\\\/g' -e "s/'/''/g")
init=/run/mysqld/init.sql
(umask 077 && cat >"$init") <<SQL
ALTER USER 'root'@'localhost' IDENTIFIED BY '$password';
CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '$password';
ALTER USER 'root'@'%' IDENTIFIED BY '$password';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE DATABASE IF NOT EXISTS \`${MYSQL_DATABASE:-test}\`;
SQL
chown mysql:mysql "$init"
exec "$@" --user=mysql --datadir="$data" --init-file="$init" --socket=/run/mysqld/mysqld.sock
