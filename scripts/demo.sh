#!/bin/bash
# Both doors and the command line at work, on loopback, in half a minute: installs what the program needs, builds it, makes
# throw-away certificates, starts the webhook and the guard with manifests/example/documents/, asks them real questions with
# curl, and checks each answer. Ends by itself and leaves nothing running and nothing behind but build/.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh program
if [[ -n ${PORTCULLIS:-} ]]; then
  portcullis=$PORTCULLIS # a program that is built already
else
  if [[ ! -x build/portcullis ]]; then echo "Building Portcullis, a few minutes the first time ..."; fi
  scripts/build.sh > /dev/null
  portcullis=$PWD/build/portcullis
fi

scratch=$(mktemp -d)
started=()
end() {
  # The first SIGTERM begins a drain of some seconds, the next ends it; two at once may arrive as one.
  for pid in "${started[@]}"; do
    while kill -TERM "$pid" 2> /dev/null; do sleep 0.05; done
  done
  wait 2> /dev/null || true
  rm -rf "$scratch"
}
trap end EXIT
trap 'exit 130' INT TERM

bold="" plain="" dim=""
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then bold=$'\e[1m' plain=$'\e[0m' dim=$'\e[2m'; fi
heading() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
command_line() { printf '%s$ %s%s\n' "$dim" "$1" "$plain"; }
indent() { sed 's/^/  /'; }
wrong() {
  echo "demo: expected $1, got:" >&2
  cat >&2
  tail -n 5 "$scratch"/*.log >&2
  exit 1
}

# The documents, with the exception's dates around today.
cp -r manifests/example/documents "$scratch/documents"
sed -i -e "s/^  validFrom: [^ ]*/  validFrom: $(date -u -d yesterday +%FT00:00:00Z)/" \
  -e "s/^  expiresAt: [^ ]*/  expiresAt: $(date -u -d '+30 days' +%FT23:59:59Z)/" "$scratch/documents/exceptions.yaml"
certs/make-demo-certs.sh "$scratch"

# start DOOR OPTION...: waits for its `ready` line and leaves its address in $url.
start() {
  local door=$1 deadline=$((SECONDS + 30))
  "$portcullis" "$door" --config "$scratch/documents" --listen 127.0.0.1:0 --audit-log "$scratch/$door.jsonl" "${@:2}" 2> "$scratch/$door.log" &
  started+=($!)
  until url=$(sed -n "s/^ready $door //p" "$scratch/$door.log" | head -n 1) && [[ -n $url ]]; do
    if ! kill -0 "${started[-1]}" 2> /dev/null || ((SECONDS > deadline)); then wrong "the $door to be ready" < "$scratch/$door.log"; fi
    sleep 0.05
  done
}
start webhook --tls-cert "$scratch/server.pem" --tls-key "$scratch/server.key"
webhook=$url
start guard
guard=$url

# ask PATH REVIEW: posts one review; the answer is in $scratch/answer.
ask() {
  command_line "curl $webhook$1 --data @manifests/example/reviews/$2.json"
  curl -sS --max-time 10 --cacert "$scratch/ca.pem" -H 'Content-Type: application/json' --data-binary "@manifests/example/reviews/$2.json" \
    "$webhook$1?timeout=5s" > "$scratch/answer"
}
answer() { jq -e "$1" "$scratch/answer" > /dev/null || wrong "$1" < "$scratch/answer"; }

heading "1. The webhook lets a good Deployment in"
ask /validate odoo-web
answer '.response.allowed == true'
jq -r '"allowed: \(.response.allowed)   tenant: \(.response.auditAnnotations.tenant // "-")   decision: \(.response.auditAnnotations.decision // "-")"' "$scratch/answer" | indent

heading "2. A Friday hotfix is denied, with everything that is wrong and how to mend it"
ask /validate hotfix
answer '.response.allowed == false and .response.status.code == 403'
jq -r '"allowed: \(.response.allowed)   code: \(.response.status.code)\n", (.response.status.details.causes[] | "\(.reason)\n  at   \(.field)\n  \(.message)")' "$scratch/answer" | fold -s -w 116 | indent

heading "3. What a policy may mend, /mutate mends: an anti-affinity that was forgotten"
ask /mutate odoo-wms
answer '.response.allowed == true and .response.patchType == "JSONPatch"'
jq -r .response.patch "$scratch/answer" | base64 -d | jq -c '.[]' | indent

heading "4. An exception with an owner and an end: the label printer runs once, by its licence"
ask /validate label-printer
answer '.response.allowed == true'
jq -r '"allowed: \(.response.allowed)   exception: \(.response.auditAnnotations.exception // "-")"' "$scratch/answer" | indent
answer '.response.auditAnnotations.exception | contains("nordhaven-label-printer")'

# knock METHOD URI ADDRESS: what Traefik's forwardAuth would send for a user's request to the distributor's Odoo.
knock() {
  curl -sS --max-time 10 -o "$scratch/body" -D "$scratch/head" -w '%{http_code}' -H "X-Forwarded-Method: $1" -H "X-Forwarded-Uri: $2" \
    -H "X-Forwarded-For: $3" -H 'X-Forwarded-Host: wms.nordhaven.example' -H 'X-Forwarded-Proto: https' -H 'Accept: text/html' \
    "$guard/v1/traefik/nordhaven-supply"
}
heading "5. The guard lets a user through to Odoo"
command_line "curl $guard/v1/traefik/nordhaven-supply -H 'X-Forwarded-Uri: /web/login' ..."
status=$(knock GET /web/login 203.0.113.9)
echo "HTTP $status, empty: Traefik goes on to Odoo" | indent
if [[ $status != 200 || -s $scratch/body ]]; then wrong "200 and no body" < "$scratch/head"; fi

heading "6. The database manager is not for the internet"
command_line "curl $guard/v1/traefik/nordhaven-supply -H 'X-Forwarded-Uri: //web%2Fdatabase/manager' ..."
status=$(knock GET //web%2Fdatabase/manager 203.0.113.9)
echo "HTTP $status" | indent
if [[ $status != 403 ]]; then wrong 403 < "$scratch/head"; fi

heading "7. Somebody tries passwords, again and again"
command_line "curl $guard/v1/traefik/nordhaven-supply -H 'X-Forwarded-Method: POST' -H 'X-Forwarded-Uri: /web/login' ...   # until refused"
tries=0
until [[ $(knock POST /web/login 203.0.113.66) == 429 ]]; do
  tries=$((tries + 1))
  if ((tries > 1000)); then wrong "429 at last" < "$scratch/head"; fi
done
echo "$tries tries passed, then:" | indent
tr -d '\r' < "$scratch/head" | grep -iE '^(HTTP/|retry-after|ratelimit)' | indent
grep -qi '^retry-after: [0-9]' "$scratch/head" || wrong "a Retry-After" < "$scratch/head"

heading "8. The same rules before anything reaches a cluster: portcullis check"
command_line "portcullis check --config documents manifests/example/denied/hotfix.yaml"
code=0
COLUMNS=116 "$portcullis" check --config "$scratch/documents" manifests/example/denied/hotfix.yaml > "$scratch/table" || code=$?
indent < "$scratch/table"
if ((code != 1)) || ! grep -q '\^' "$scratch/table"; then wrong "exit code 1 and carets" < "$scratch/table"; fi

heading "Every decision is one line in the decision log"
# The log is written off the requests' way: wait for the webhook's last line and the guard's refusal.
deadline=$((SECONDS + 10))
until grep -q '"verdict":"deny"' "$scratch/webhook.jsonl" && grep -q '"status":429\|"verdict":"slow"' "$scratch/guard.jsonl"; do
  if ((SECONDS > deadline)); then wrong "the decisions in the log" < <(tail -n 2 "$scratch"/*.jsonl); fi
  sleep 0.05
done
grep '"verdict":"deny"' "$scratch/webhook.jsonl" | head -n 1 | fold -w 116 | indent
echo
echo "That was Portcullis. README.md says how it sits in a cluster; manifests/example/ holds everything shown here."
