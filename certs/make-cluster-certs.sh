#!/bin/bash
# Certificates for a cluster without cert-manager: a CA of our own (ten years), and one server certificate a door (a year)
# for the Services' names. DIR becomes a kustomize overlay on manifests/base with both TLS Secrets and the caBundle, so
# that `kubectl apply -k DIR` is all there is to do; DIR/ca.pem is what Traefik's Middleware needs (Secret
# portcullis-guard-ca). Keep DIR out of version control: it holds private keys.
#
#   certs/make-cluster-certs.sh DIR [NAMESPACE]     a second run keeps the CA and renews the server certificates
#
# The program reads renewed files by itself. The API server trusts what the caBundle says: keep the old CA in it until
# every leaf of it is gone.
set -euo pipefail
base=$(cd "$(dirname "$0")/../manifests/base" && pwd)
dir=${1:?a directory for the overlay}
namespace=${2:-portcullis-system}
umask 077
mkdir -p "$dir"
cd "$dir"

if [[ ! -e ca.key ]]; then
  openssl ecparam -name prime256v1 -genkey -noout -out ca.key
  openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=Portcullis CA" \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign -out ca.pem
fi
for door in webhook guard; do
  name=portcullis-$door.$namespace.svc
  openssl ecparam -name prime256v1 -genkey -noout -out "$door.key"
  openssl req -new -key "$door.key" -subj "/CN=portcullis-$door" -out "$door.csr"
  openssl x509 -req -in "$door.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 365 -out "$door.pem" 2> /dev/null \
    -extfile /dev/stdin << EXTENSIONS
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:$name, DNS:$name.cluster.local, DNS:portcullis-$door.$namespace
EXTENSIONS
  rm -f "$door.csr"
done
rm -f ca.srl

bundle=$(base64 -w 0 ca.pem)
cat > kustomization.yaml << OVERLAY
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: $namespace
resources: [$(realpath --relative-to=. "$base")]
images:
  - name: registry.hoster.example/platform/portcullis    # newName and digest: yours
secretGenerator:
  - {name: portcullis-webhook-tls, type: kubernetes.io/tls, files: [tls.crt=webhook.pem, tls.key=webhook.key]}
  - {name: portcullis-guard-tls, type: kubernetes.io/tls, files: [tls.crt=guard.pem, tls.key=guard.key]}
generatorOptions: {disableNameSuffixHash: true}
patches:
  - target: {kind: ValidatingWebhookConfiguration, name: portcullis}
    patch: '[{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "$bundle"}]'
  - target: {kind: MutatingWebhookConfiguration, name: portcullis}
    patch: '[{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "$bundle"}]'
OVERLAY
printf 'overlay    %s\ncaBundle   %s\n' "$PWD" "$bundle"
openssl x509 -in webhook.pem -noout -enddate | sed 's/^notAfter=/expires    /'
