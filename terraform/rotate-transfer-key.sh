#!/usr/bin/env bash
# Gives BigQuery Data Transfer a new AWS access key. The secret goes from AWS to Secret Manager through a pipe: it is
# neither printed nor written to a file, a variable of Terraform or a state.
#
#   terraform/rotate-transfer-key.sh start stg acme-isthmus-stg terraform/gcp/generated/stg.key.tfvars.json
#       makes a key, stores it, writes its id and version into the file (without one, prints them as a line for
#       stg.tfvars). Then: terraform apply with -var-file, one load by hand.
#   terraform/rotate-transfer-key.sh finish stg acme-isthmus-stg AKIA…
#       deletes every other key of the user, and disables the older versions of the secret.
#   terraform/rotate-transfer-key.sh stop stg acme-isthmus-stg
#       deletes every key and disables every version: before terraform destroy.
#   terraform/rotate-transfer-key.sh check stg acme-isthmus-stg terraform/gcp/generated/stg.key.tfvars.json
#   terraform/rotate-transfer-key.sh check stg acme-isthmus-stg AKIA… 3
#       ends with 0 where AWS has the key and Google this version of the secret, 1 where one of them is gone, 3 where
#       they cannot be asked.
set +x -euo pipefail

usage() {
  sed -n '5,15s/^# \{0,3\}//p' "$0" >&2
  exit 2
}

fail() {
  echo "error: $*" >&2
  exit "${status:-1}"
}

[ $# -ge 3 ] || usage
command=$1 env=$2 project=$3
user=isthmus-$env-transfer
secret=isthmus-$env-transfer-key

keys() {
  aws iam list-access-keys --user-name "$user" --query 'AccessKeyMetadata[].AccessKeyId' --output text | tr '\t' '\n'
}

start() {
  local existing id version file=$1
  existing=$(keys) || fail "cannot list the keys of $user: apply terraform/aws first"
  # AWS allows a user two keys.
  [ "$(grep -c . <<<"$existing")" -lt 2 ] ||
    fail "$user has two keys already (${existing//$'\n'/ }): finish the last rotation with the one in use"
  local made
  made=$(aws iam create-access-key --user-name "$user" --query 'AccessKey.[AccessKeyId,SecretAccessKey]' --output text)
  id=${made%%[[:space:]]*}
  if ! version=$(printf %s "${made##*[[:space:]]}" |
    gcloud secrets versions add "$secret" --project "$project" --data-file=- --format 'value(name)'); then
    aws iam delete-access-key --user-name "$user" --access-key-id "$id"
    fail "cannot add a version to $secret in $project: the new key $id was deleted again"
  fi
  if [ -z "$file" ]; then
    echo "transfer_key = { access_key_id = \"$id\", secret_version = ${version##*/} }"
    return
  fi
  # Whole or not at all: a half-written file would stop every later plan.
  printf '{"transfer_key": {"access_key_id": "%s", "secret_version": %s}}\n' "$id" "${version##*/}" >"$file.new"
  mv "$file.new" "$file"
  echo "$id is version ${version##*/} of $secret: $file"
}

check() {
  local id=$1 version=${2:-} existing said
  if [ -z "$version" ]; then
    [ -e "$1" ] || fail "there is no $1"
    id=$(sed -n -E 's/.*"access_key_id": *"([^"]+)".*/\1/p' "$1")
    version=$(sed -n -E 's/.*"secret_version": *([0-9]+).*/\1/p' "$1")
  fi
  # A user that is not there has no key; any other error says nothing about the key.
  if ! existing=$(keys 2>&1); then
    [[ $existing == *NoSuchEntity* ]] || status=3 fail "cannot list the keys of $user: ${existing##*$'\n'}"
    existing=
  fi
  grep -qx -- "$id" <<<"$existing" || fail "$id is not a key of $user any more"
  if ! said=$(gcloud secrets versions describe "$version" --secret "$secret" --project "$project" --format 'value(state)' 2>&1); then
    [[ $said == *NOT_FOUND* ]] || status=3 fail "cannot look at version $version of $secret: ${said##*$'\n'}"
  fi
  grep -qix enabled <<<"$said" || fail "version $version of $secret in $project is gone"
}

finish() {
  local keep=$1 existing
  existing=$(keys)
  grep -qx -- "$keep" <<<"$existing" || fail "$keep is not a key of $user (${existing//$'\n'/ })"
  # The newest version comes first, and is the one that was stored with the key that stays.
  delete_keys_but "$keep"
  disable_versions_after 1
}

delete_keys_but() {
  keys | while read -r id; do
    [ -z "$id" ] || [ "$id" = "$1" ] && continue
    aws iam delete-access-key --user-name "$user" --access-key-id "$id"
    echo "deleted $id"
  done
}

disable_versions_after() {
  gcloud secrets versions list "$secret" --project "$project" --filter state=ENABLED --sort-by ~createTime \
    --format 'value(name)' | tail -n "+$(($1 + 1))" | while read -r version; do
    gcloud secrets versions disable "${version##*/}" --secret "$secret" --project "$project" --quiet
    echo "disabled version ${version##*/}"
  done
}

case $command in
  start) start "${4:-}" ;;
  finish)
    [ $# -eq 4 ] || usage
    finish "$4"
    ;;
  stop)
    delete_keys_but none
    disable_versions_after 0
    ;;
  check)
    [ $# -ge 4 ] || usage
    check "$4" "${5:-}"
    ;;
  *) usage ;;
esac
