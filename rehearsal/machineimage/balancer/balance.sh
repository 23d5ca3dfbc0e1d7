#!/usr/bin/env bash
# Runs HAProxy as soon as rehearsal/scaling has written its configuration. Its master takes commands from there.
set -euo pipefail

FOLDER=/var/lib/balancer

until [ -s "$FOLDER/haproxy.cfg" ]; do sleep 0.2; done
# The sockets of an earlier one are nobody's.
rm -f "$FOLDER"/*.sock
exec haproxy -W -db -f "$FOLDER/haproxy.cfg" -S "$FOLDER/master.sock,mode,666"
