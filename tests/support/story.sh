# Sourced by tests/demo: telling a story line by line, and not telling what is not true.
#
# t0        when the story began (EPOCHREALTIME)
# work      the directory of everything that belongs to it; the processes are found by it, too
: "${t0:=$EPOCHREALTIME}"
lines_told=0
bold='' dim='' plain=''
if [ -t 1 ]; then
        bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi

# Milliseconds since an instant (EPOCHREALTIME), or since the story began.
ms_since()
{
        local now=${EPOCHREALTIME/[.,]/} then=${1:-$t0}
        echo $(((now - ${then/[.,]/}) / 1000))
}

# tell TOPIC TEXT...: one line of the story
tell()
{
        local ms topic=$1
        ms=$(ms_since)
        shift
        printf '%s%4d.%02d s%s  %s%-10s%s %s\n' "$dim" $((ms / 1000)) $((ms % 1000 / 10)) "$plain" \
                "$bold" "$topic" "$plain" "$*"
        lines_told=$((lines_told + 1))
}

# Lines of output below the line they belong to.
quote()
{
        sed "s/^/            ${dim}|${plain} /"
}

# The story ends here: what should have been true, and what was seen.
untrue()
{
        printf '\n%s\n' "${bold}That was not true: $1${plain}"
        shift
        [ $# = 0 ] || printf '%s\n' "$@" | quote
        exit 1
}

# must WHAT COMMAND...: it is true now
must()
{
        local what=$1
        shift
        "$@" >"$work/said" 2>&1 || untrue "$what" "$(cat "$work/said")"
}

# within SECONDS WHAT COMMAND...: it becomes true in time; $took says after how many milliseconds
within()
{
        local limit=$(($1 * 1000)) what=$2 from=$EPOCHREALTIME
        shift 2
        until "$@" >/dev/null 2>&1; do
                [ "$(ms_since "$from")" -lt $limit ] || untrue "$what (within $((limit / 1000)) s)" "$("$@" 2>&1)"
                sleep 0.02
        done
        took=$(ms_since "$from")
}

# One connection to the database for the whole story; sql STATEMENT prints rows as tab-separated lines.
open_sql()
{
        printf '[client]\nsocket=%s\nuser=%s\npassword=%s\n' "$MARIADB_SOCKET" "$MARIADB_USER" "$MARIADB_PASSWORD" \
                >"$work/client.cnf"
        coproc SQL { exec mariadb --defaults-file="$work/client.cnf" --batch --skip-column-names --unbuffered \
                --force "$MARIADB_DATABASE" 2>&1; }
        exec 5>&"${SQL[1]}" 6<&"${SQL[0]}"
}

sql()
{
        local line
        printf "%s; SELECT '~';\n" "$1" >&5
        while IFS= read -r -t 20 line <&6 && [ "$line" != '~' ]; do
                printf '%s\n' "$line"
        done
}

is()
{
        [ "$1" = "$2" ] || { echo "it is \"$1\", not \"$2\""; return 1; }
}

# row UUID COLUMN...: one row of instances, "NULL" for NULL
row()
{
        local uuid=$1
        shift
        sql "SELECT $(IFS=,; echo "$*") FROM instances WHERE uuid = '$uuid'"
}

row_is()
{
        local uuid=$1 columns=$2 want=$3
        is "$(row "$uuid" "$columns" | tr '\t' ' ')" "$want"
}

# follow UUID SECONDS WANTED PID: notes each change of vm_state (task_state) until it is WANTED; $states tells them
# all. PID is the command that causes it: when that fails, so does the story.
follow()
{
        local uuid=$1 limit=$(($2 * 1000)) want=$3 cause=$4 last='' now from=$EPOCHREALTIME status
        states=''
        while :; do
                now=$(row "$uuid" "vm_state" "IFNULL(CONCAT(' (', task_state, ')'), '')" | tr -d '\t')
                if [ "$now" != "$last" ]; then
                        states+=${states:+ → }$now
                        last=$now
                fi
                [ "$now" != "$want" ] || break
                [ "$(ms_since "$from")" -lt $limit ] || untrue "$uuid becomes $want (within $2 s)" "$states"
                sleep 0.01
        done
        took=$(ms_since "$from")
        wait "$cause"
        status=$?
        [ $status = 0 ] || untrue "the command succeeds" "exit status $status" "$(cat "$work/command.log")"
}

# The processes that belong to the directory $work: our programs, with its name in their command line.
our_processes()
{
        local dir exe
        for dir in /proc/[0-9]*; do
                exe=$(readlink "$dir/exe") || continue
                case ${exe##*/} in
                compute-agent | compute-agentctl | mariadb | mariadbd | qemu-system-*)
                        if tr '\0' ' ' <"$dir/cmdline" 2>/dev/null | grep -qF -- "$work"; then
                                echo "${dir#/proc/}"
                        fi
                        ;;
                esac
        done
}

alive()
{
        local state
        state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
        [ -n "$state" ] && [ "$state" != Z ] && [ "$state" != X ]
}

gone()
{
        ! alive "$1" || { echo "process $1 is still there"; return 1; }
}

# Ends everything that belongs to the directory $work, and removes it.
end_all()
{
        local pid signal try
        for signal in TERM KILL; do
                for pid in $(our_processes); do
                        kill -$signal "$pid" 2>/dev/null
                done
                for ((try = 0; try < 100; try++)); do
                        [ -n "$(our_processes)" ] || break
                        sleep 0.1
                done
        done
        rm -rf --one-file-system "$work"
}
