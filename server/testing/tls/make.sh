#!/usr/bin/env bash
# Makes the certificates of the TLS tests again: a small authority, a server's certificate for this machine signed by it,
# one for the same key that expired and one that is not valid yet, the key with a passphrase in both ways in which files
# have it, and a key that belongs to none of them. Whoever has this repository has these keys: they are worth nothing outside of tests.
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
  local from=$1 to=$2
  shift 2
  openssl ca -batch -config "$state/ca.cnf" -startdate "${from}0101000000Z" -enddate "${to}0101000000Z" \
    -keyfile "$state/ca-key.pem" -notext -in "$state/request" "$@"
}
as_server() { sign "$1" "$2" -cert ca.pem -extensions as_server -out "$3"; }

new_key "$state/ca-key.pem"
openssl req -new -key "$state/ca-key.pem" -subj '/CN=fedbatch tests' -out "$state/request"
sign 2020 2120 -selfsign -extensions as_authority -out ca.pem
new_key server-key.pem
openssl req -new -key server-key.pem -subj '/CN=localhost' -out "$state/request"
as_server 2020 2120 server.pem
as_server 2020 2021 expired.pem
as_server 2119 2120 early.pem
openssl pkey -in server-key.pem -aes256 -passout pass:secret -out locked-key.pem
openssl ec -in server-key.pem -aes256 -passout pass:secret -out locked-ec-key.pem
new_key other-key.pem
