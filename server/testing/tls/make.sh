#!/usr/bin/env bash
# Makes the certificates of the TLS tests again: a small authority, a server's certificate for this machine signed by it,
# and a key that belongs to neither. Whoever has this repository has these keys: they are worth nothing outside of tests.
set -euo pipefail
cd "$(dirname "$0")"
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
touch "$state/index"
cat >"$state/ca.cnf" <<CNF
[ca]
default_ca = authority
[authority]
database = $state/index
new_certs_dir = $state
rand_serial = yes
default_md = sha256
policy = names
unique_subject = no
[names]
commonName = supplied
[as_authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[as_server]
subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1
CNF

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
# `openssl ca` rather than `openssl req -x509`: it takes both dates, so that no clock finds these out of date.
sign() {
  openssl ca -batch -config "$state/ca.cnf" -startdate 20200101000000Z -enddate 21200101000000Z \
    -keyfile "$state/ca-key.pem" -notext -in "$state/request" "$@"
}

new_key "$state/ca-key.pem"
openssl req -new -key "$state/ca-key.pem" -subj '/CN=fedbatch tests' -out "$state/request"
sign -selfsign -extensions as_authority -out ca.pem
new_key server-key.pem
openssl req -new -key server-key.pem -subj '/CN=localhost' -out "$state/request"
sign -cert ca.pem -extensions as_server -out server.pem
new_key other-key.pem
