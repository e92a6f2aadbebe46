#!/bin/sh
# Every tool that `isthmus deploy` calls, played: linked under their names. What was made is a file in $PLAYED/made, each
# call a line of $PLAYED/calls; $PLAYED/refused holds how the call begins that fails.
name=${0##*/}
echo "$name $*" >>"$PLAYED/calls"
if [ -e "$PLAYED/refused" ] && case "$name $*" in "$(cat "$PLAYED/refused")"*) true ;; *) false ;; esac; then
  echo "$name: refused" >&2
  exit 1
fi
# With $REAL, a PATH, the vendor's own tool reads the words first. It has no account, and stops after that.
if [ -n "${REAL:-}" ] && { [ "$name" = gcloud ] || [ "$name" = aws ]; } &&
  ! grep -qxF -- "$name $*" "$PLAYED/read" 2>/dev/null; then
  PATH=$REAL "$name" "$@" </dev/null >"$PLAYED/said" 2>&1
  echo "$name $*" >>"$PLAYED/read"
  ! grep -qiE 'unrecognized arguments|invalid choice|unknown options|argument --|must be specified' "$PLAYED/said" ||
    { echo "$name $*" && tail -n 3 "$PLAYED/said"; } >>"$PLAYED/unknown"
fi
made=$PLAYED/made
is_made() { [ -e "$made/$1" ]; }

# Where a plan of root $1 stands: what its var-files say.
variables() {
  root=$1
  shift
  for word in "$@"; do
    case $word in -var-file=*) tr -d ' \n' <"terraform/$root/${word#-var-file=}" || exit 1 ;; esac
  done
}

case "$name $*" in
  "terraform -chdir=terraform/"*)
    root=${1#-chdir=terraform/}
    case $2 in
      init) touch "$made/init-$root" ;;
      plan)
        variables "$root" "$@" >"$made/plan-$root" || exit 1
        cmp -s "$made/plan-$root" "$made/applied-$root" || exit 2
        ;;
      apply) cp "$made/plan-$root" "$made/applied-$root" ;;
      output)
        is_made applied-gcp || { echo '{}'; exit 0; }
        [ "$4" = for_aws ] && { echo '{"google_project": {}}'; exit 0; }
        told=null key=null
        grep -q account_id "$made/applied-gcp" && told='{"account_id": "123456789012"}' key='{"access_key_id": "AKIAPLAYED", "secret_version": 1}'
        echo "{\"environment\": {\"value\": \"stg\"}, \"for_aws\": {\"value\": {}}, \"told\": {\"value\": {\"aws\": $told, \"transfer_key\": $key}}}"
        ;;
    esac
    ;;
  "aws sts"*) echo "${ACCOUNT:-123456789012}" ;;
  "aws s3api head-bucket"*) is_made aws-bucket ;;
  "aws s3api create-bucket"*) touch "$made/aws-bucket" ;;
  "aws cloudformation describe-stacks"*) is_made stack ;;
  "aws iam list-access-keys"*)
    [ -z "${NO_AWS:-}" ] || { echo "Unable to locate credentials" >&2; exit 253; }
    is_made applied-aws || { echo "An error occurred (NoSuchEntity)" >&2; exit 254; }
    ! is_made key || echo AKIAPLAYED
    ;;
  "aws iam delete-access-key"*) rm "$made/key" ;;
  "aws iam create-access-key"*) touch "$made/key" && echo "AKIAPLAYED a-secret" ;;
  "aws ssm"*) echo shop-exports ;;
  "aws lambda invoke"*)
    for file in "$@"; do :; done
    echo '{"state":"started","task_id":"stg-20261122"}' >"$file"
    ;;
  "aws rds describe-export-tasks"*TaskStartTime*) echo 2026-11-22T04:00:00Z ;;
  "aws rds describe-export-tasks"*)
    echo . >>"$made/looks"
    case $(wc -l <"$made/looks") in 1) echo STARTING ;; 2) echo "IN_PROGRESS	40" ;; *) echo "${EXPORT:-COMPLETE	100}" ;; esac
    ;;
  "aws s3api head-object"*) echo . >>"$made/heads" && [ "$(wc -l <"$made/heads")" -gt 1 ] && echo application/json ;;
  "gcloud workflows executions list"*)
    echo . >>"$made/lists"
    case $(wc -l <"$made/lists") in 1) ;; 2) echo ACTIVE ;; *) echo "${DAY:-SUCCEEDED}" ;; esac
    ;;
  "gcloud storage buckets describe"*) is_made google-bucket ;;
  "gcloud storage buckets create"*) touch "$made/google-bucket" ;;
  "gcloud artifacts docker images describe"*) is_made images ;;
  "gcloud builds submit"*) touch "$made/images" ;;
  "gcloud secrets versions describe"*) [ "$4" = 1 ] && echo "${SECRET:-ENABLED}" ;;
  "gcloud secrets versions add"*) [ "$(cat)" = a-secret ] && echo projects/1/secrets/s/versions/1 ;;
  "sam deploy"*) touch "$made/stack" ;;
  "git status"*) ! is_made new-file || echo "?? jobs/new.rs" ;;
  "git rev-parse"*) echo 0123456789ab ;;
esac
