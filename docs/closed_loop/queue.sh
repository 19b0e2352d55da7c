#!/bin/sh
# One round of a campaign with a folder as the queue: collect what is done, suggest, submit.
#
#     queue.sh CAMPAIGN QUEUE [N]
#
# Call it again as often as you like, also after a crash, by hand or from cron: a result that was
# told is known, and a job that has not finished is submitted again. When a rule to stop is met,
# `suggest` says so and the exit code is 1.
set -eu
campaign=$1 queue=$2 n=${3:-5}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$queue"

# collect: a job writes its energy to NAME.energy, or why there is none to NAME.failed
results="$queue/results.csv"
echo "file,value,failed" > "$results"
for job in "$queue"/*.cif; do
    [ -e "$job" ] || break # the queue is empty
    name=${job%.cif}
    if [ -s "$name.energy" ]; then
        echo "$(basename "$job"),$(cat "$name.energy")," >> "$results"
    elif [ -e "$name.failed" ]; then
        echo "$(basename "$job"),,did not succeed: see $(basename "$name").failed" >> "$results"
    fi
done
if [ "$(wc -l < "$results")" -gt 1 ]; then
    skcfgp campaign tell "$campaign" "$results"
fi

# suggest, if nothing is under way
if skcfgp campaign status "$campaign" | grep -q ' 0 pending'; then
    skcfgp campaign suggest "$campaign" -n "$n" --out "$queue"
fi

# submit: here each job runs at once; with a queueing system this line is sbatch or qsub
for job in "$queue"/*.cif; do
    name=${job%.cif}
    if [ -e "$name.energy" ] || [ -e "$name.failed" ]; then
        continue
    fi
    if python "$here/alloys.py" --energy "$job" > "$name.part" 2> "$name.log"; then
        mv "$name.part" "$name.energy"
    else
        mv "$name.log" "$name.failed"
    fi
done
