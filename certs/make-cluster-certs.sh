#!/bin/bash
# A kustomize overlay on manifests/overlays/external-certificates for a cluster where neither cert-manager nor the webhook
# itself is to look after certificates: DIR gets what `portcullis certs init` makes (a CA of ten years, a server certificate
# of one year for each door), both TLS Secrets and the caBundle, so that `kubectl apply -k DIR` is all there is to do.
# DIR/ca.pem is what Traefik's Middleware needs (Secret portcullis-guard-ca). Keep DIR out of version control: it holds
# private keys.
#
#   certs/make-cluster-certs.sh DIR [NAMESPACE]     a second run keeps the CA and renews the server certificates
#
# The program is build/portcullis, or the one that PORTCULLIS_PROGRAM names. It reads renewed files by itself. The API server
# trusts what the caBundle says: keep the old CA in it until every leaf of it is gone.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:?a directory for the overlay}
namespace=${2:-portcullis-system}

"${PORTCULLIS_PROGRAM:-$root/build/portcullis}" certs init --dir "$dir" --namespace "$namespace"
cd "$dir"
bundle=$(base64 -w 0 ca.pem)

# One operation an entry of that configuration: how many there are, the base says.
operations() {
  awk -v kind="$1" '$1 == "kind:" { here = $2 == kind } here && /^ *(- )?clientConfig:/ { count++ } END { print count + 0 }' \
    "$root/manifests/base/webhooks.yaml" |
    { read -r count; for ((at = 0; at < count; at++)); do
      printf '{"op": "add", "path": "/webhooks/%d/clientConfig/caBundle", "value": "%s"}\n' "$at" "$bundle"
    done | paste -sd ,; }
}

umask 077
cat > kustomization.yaml << OVERLAY
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: $namespace
resources: [$(realpath --relative-to=. "$root/manifests/overlays/external-certificates")]
images:
  - name: registry.hoster.example/platform/portcullis    # newName and digest: yours
secretGenerator:
  - {name: portcullis-webhook-tls, type: kubernetes.io/tls, files: [tls.crt=portcullis-webhook.pem, tls.key=portcullis-webhook.key]}
  - {name: portcullis-guard-tls, type: kubernetes.io/tls, files: [tls.crt=portcullis-guard.pem, tls.key=portcullis-guard.key]}
generatorOptions: {disableNameSuffixHash: true}
patches:
  - target: {kind: ValidatingWebhookConfiguration, name: portcullis}
    patch: '[$(operations ValidatingWebhookConfiguration)]'
  - target: {kind: MutatingWebhookConfiguration, name: portcullis}
    patch: '[$(operations MutatingWebhookConfiguration)]'
OVERLAY
printf 'overlay    %s\n' "$PWD"
