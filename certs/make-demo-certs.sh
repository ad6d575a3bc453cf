#!/bin/bash
# Throw-away certificates for loopback: a CA and one server certificate (ECDSA P-256) for localhost, good for two days.
#
#   certs/make-demo-certs.sh DIR      writes ca.pem, server.pem, server.key
set -euo pipefail
dir=${1:?a directory for the certificates}
umask 077
mkdir -p "$dir"
cd "$dir"

openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -sha256 -days 2 -subj "/CN=Portcullis demo CA" \
  -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign -out ca.pem
openssl ecparam -name prime256v1 -genkey -noout -out server.key
openssl req -new -key server.key -subj "/CN=localhost" -out server.csr
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 2 -out server.pem 2> /dev/null -extfile /dev/stdin << 'EXTENSIONS'
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
EXTENSIONS
rm -f server.csr ca.key ca.srl
