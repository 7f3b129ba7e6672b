#!/bin/sh
# For programs that run a command when an export is done, with the file as its argument (Adobe Media Encoder through a
# watch folder's script, Shotcut's and Kdenlive's render scripts, a NAS, cron):
#     after_export.sh FILE
# A film is processed as one take; a timeline (.otio .xml .fcpxml .edl) is followed, with the takes beside it.
set -eu
file=$1
folder=$(dirname -- "$file")
name=$(basename -- "$file")
out=$folder/postpipe/$name
case $name in
    *.otio|*.xml|*.fcpxml|*.edl) exec postpipe run "$folder" --timeline "$file" -o "$out" ;;
    *) exec postpipe run "$folder/$name" -o "$out" ;;
esac
