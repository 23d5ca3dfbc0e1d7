# Copies of files in the stack's bucket. The server may add to it, and neither read nor take away. Sourced by deploy.sh.
#
# S3 takes at most 5 GB in one request, so a larger file goes in parts, which also keeps what is sent again after a cut small.
# Debian's awscli could do it, with 100 MB of Python beside curl, which knows AWS's signature. Of an upload that ends on the
# way the parts stay until the bucket's lifecycle removes them: taking them back is a permission that the server does not have.
# shellcheck shell=bash disable=SC2153
set -euo pipefail

# Seconds for one request, and how often one that fails is sent.
readonly COPY_WITHIN=1800 SEND_TIMES=3
# S3 takes 10000 parts, each of 5 MiB or more but for the last. Source: S3 User Guide, "Amazon S3 multipart upload limits".
readonly MOST_PARTS=10000
: "${PART_BYTES:=$((64 << 20))}"

# object_url prints the URL of an object, and cannot fail.
object_url() { printf 'https://%s.s3.%s.amazonaws.com/%s' "$BUCKET" "$REGION" "$1"; }

# s3 sends one request to S3, for at most $1 seconds. What it carries is not part of the signature: S3 has its sum, or it is the
# list of parts, and TLS keeps it as it is.
s3() {
  { cat && echo 'header = "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD"'; } | aws_request s3 "$1"
}

# tried runs a request again when it fails, after a pause that grows. Its output is printed once it succeeds.
tried() {
  local try answer
  for ((try = 1; try <= SEND_TIMES; try++)); do
    if answer=$("$@"); then
      printf '%s\n' "$answer"
      return
    fi
    [ "$try" -eq "$SEND_TIMES" ] || sleep $((try * 2))
  done
  return 1
}

# send puts file $1 at the URL $2, and prints its ETag there. S3 compares what arrives with the sum.
# shellcheck disable=SC2310 # s3 is one pipe
send() {
  local sum answer
  sum=$(openssl md5 -binary "$1" | base64) && [ -n "$sum" ] || return 1
  answer=$(printf '%s\n' "url = \"$2\"" "upload-file = \"$1\"" "header = \"Content-MD5: $sum\"" 'write-out = "\n%header{etag}"' | s3 "$COPY_WITHIN") || return 1
  answer=${answer##*$'\n'}
  [ -n "$answer" ] || {
    say "S3 took $1 without an ETag"
    return 1
  }
  printf '%s\n' "$answer"
}

# upload puts file $1 into the bucket as object $2.
upload() {
  local size url
  url=$(object_url "$2")
  size=$(stat --format %s "$1") || return 1
  if [ "$size" -le "$PART_BYTES" ]; then
    tried send "$1" "$url" >/dev/null
  else
    (upload_parts "$1" "$url" "$size")
  fi
}

# upload_parts puts file $1 of $3 bytes at the URL $2. One part at a time is on the system's disk.
# shellcheck disable=SC2310 # tried runs what it is given
upload_parts() {
  local id tag folder number=0 offset bytes=$((($3 + MOST_PARTS - 1) / MOST_PARTS))
  [ "$bytes" -ge "$PART_BYTES" ] || bytes=$PART_BYTES
  folder=$(mktemp -d /var/tmp/berth-upload.XXXXXX) || return 1
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$folder'" EXIT
  id=$(tried begin_parts "$2") || return 1
  echo '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' >"$folder/parts.xml" || return 1
  for ((offset = 0; offset < $3; offset += bytes)); do
    number=$((number + 1))
    dd if="$1" of="$folder/part" bs=1M iflag=skip_bytes,count_bytes,fullblock skip="$offset" count="$bytes" status=none || return 1
    tag=$(tried send "$folder/part" "$2?partNumber=$number&uploadId=$id") || return 1
    printf '<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>\n' "$number" "$tag" >>"$folder/parts.xml" || return 1
  done
  echo '</CompleteMultipartUpload>' >>"$folder/parts.xml" || return 1
  tried end_parts "$2?uploadId=$id" "$folder/parts.xml" >/dev/null
}

# begin_parts begins an upload to the URL $1 and prints its id.
# shellcheck disable=SC2310 # s3 is one pipe
begin_parts() {
  local answer id
  answer=$(printf '%s\n' "url = \"$1?uploads=\"" 'request = "POST"' 'data = ""' | s3 60) || return 1
  id=$(sed -n 's:.*<UploadId>\([A-Za-z0-9._~-]*\)</UploadId>.*:\1:p' <<<"$answer")
  [ -n "$id" ] || {
    say "S3 did not begin an upload in parts: ${answer:0:300}"
    return 1
  }
  printf '%s\n' "$id"
}

# end_parts makes one object of the parts that file $2 lists. S3 may answer with an error in a success.
# shellcheck disable=SC2310 # s3 is one pipe
end_parts() {
  local answer
  answer=$(printf '%s\n' "url = \"$1\"" "data-binary = \"@$2\"" 'header = "Content-Type: application/xml"' | s3 "$COPY_WITHIN") || return 1
  [[ $answer == *"<CompleteMultipartUploadResult"* ]] || {
    say "S3 made no object of the parts: ${answer:0:300}"
    return 1
  }
}
