# Sourced by tests/run and by its parts (tests/support/parts/*). A part tells its results by passed, failed and
# left_out, one call for each; tests/run adds them up from the file $RESULTS. Run by hand, a part prints them.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
builds=$top/build-test # ignored by git; kept between runs, made anew when it does not fit (see build)
: "${RESULTS:=/dev/stdout}"
export LC_ALL=C.UTF-8

passed()
{
        printf 'ok\t%s\n' "$1" >>"$RESULTS"
}

# failed NAME WHY
failed()
{
        printf 'FAILED\t%s\t%s\n' "$1" "$2" >>"$RESULTS"
        printf 'FAILED: %s: %s\n' "$1" "$2"
}

# left_out NAME WHY: not tested, which is neither passed nor failed
left_out()
{
        printf 'left out\t%s\t%s\n' "$1" "$2" >>"$RESULTS"
}

# check NAME COMMAND...: passed if the command succeeds; its output is shown only if it does not.
check()
{
        local name=$1 log
        shift
        log=$(mktemp /tmp/compute-agent-check.XXXXXX)
        if "$@" >"$log" 2>&1; then
                passed "$name"
        else
                tail -n 40 "$log"
                failed "$name" "see above"
        fi
        rm -f "$log"
}

# build NAME [OPTION...]: builds the tree in $builds/NAME, with $CC. A directory that was made from other options,
# another compiler or another meson, or that cannot be brought up to date, is thrown away first. $TARGETS: only
# these, else everything.
build()
{
        local dir=$builds/$1 label="build $1" log made_from
        shift
        log=$dir.log
        mkdir -p "$builds"
        made_from="$top $* ${CC:-cc} $(${CC:-cc} --version | head -n 1) meson $(meson --version)"
        if [ "$(cat "$dir/made-from" 2>/dev/null)" != "$made_from" ] ||
                ! ninja -C "$dir" build.ninja >"$log" 2>&1; then
                rm -rf "$dir"
                if ! meson setup "$dir" "$top" -Dwerror=true "$@" >"$log" 2>&1; then
                        tail -n 30 "$log"
                        failed "$label" "meson setup failed"
                        return 1
                fi
                printf '%s\n' "$made_from" >"$dir/made-from"
        fi
        if ! nice ninja -C "$dir" -k 5 ${TARGETS:-} >"$log" 2>&1; then
                grep -E -A 6 '(error|warning):|^FAILED|undefined reference' "$log" | head -n 60
                failed "$label" "does not build"
                return 1
        fi
        passed "$label"
}

# tests_of NAME PATTERN: the names of the meson tests in $builds/NAME that match an extended regular expression
tests_of()
{
        meson introspect --tests "$builds/$1" | jq -r '.[].name' | grep -E "$2"
}

# run_tests NAME LABEL [ARGUMENT...]: `meson test` in $builds/NAME, each test counted as one.
run_tests()
{
        local dir=$builds/$1 label=$2 base=run-$$ log line name result why
        shift 2
        log=$dir.log
        # An explicit limit on processes: meson counts the machine's, not ours.
        nice meson test -C "$dir" --no-rebuild --logbase "$base" --num-processes "$(nproc)" \
                --print-errorlogs "$@" >"$log" 2>&1
        if ! compgen -G "$dir/meson-logs/$base*.json" >/dev/null; then
                tail -n 20 "$log"
                failed "$label" "meson test ran no test"
                return 1
        fi
        while IFS=$'\t' read -r name result why; do
                case $result in
                OK | EXPECTEDFAIL) passed "$label ${name##* / }" ;;
                SKIP) left_out "$label ${name##* / }" "${why:-it does not say why}" ;;
                *)
                        show_failure "$name" "$dir"/meson-logs/$base*.json
                        failed "$label ${name##* / }" "$result"
                        ;;
                esac
        done < <(jq -r '[.name, .result, ((.stdout // "") + "\n" + (.stderr // "") | split("\n") |
                map(select(. != "")) | last // "" | gsub("\t"; " "))] | @tsv' "$dir"/meson-logs/$base*.json)
        rm -f "$dir"/meson-logs/$base*
}

# show_failure NAME FILE: the end of what a failed test printed, from meson's log
show_failure()
{
        echo "---- $1 ----"
        jq -r --arg name "$1" 'select(.name == $name) | (.stdout // "") + "\n" + (.stderr // "")' "$2" | tail -n 60
        echo "----"
}

# under_systemd LABEL SECONDS COMMAND...: on a throw-away system (support/with-systemd); its lines "ok: NAME" and
# "FAILED: NAME: WHY" are results.
under_systemd()
{
        local label=$1 limit=$2 log line status
        shift 2
        log=$(mktemp /tmp/compute-agent-systemd.XXXXXX)
        timeout -k 10 "$limit" "$top/tests/support/with-systemd" "$@" >"$log" 2>&1
        status=$?
        while IFS= read -r line; do
                case $line in
                'ok: '*) passed "$label: ${line#ok: }" ;;
                'FAILED: '*) failed "$label: ${line#FAILED: }" "see above" ;;
                esac
        done <"$log"
        case $status in
        0) ;;
        77) left_out "$label" "$(tail -n 1 "$log")" ;;
        *)
                tail -n 30 "$log"
                failed "$label" "ended early with status $status"
                ;;
        esac
        rm -f "$log"
}
