# Completion of compute-agentctl for bash: the program itself knows what may come next.
_compute_agentctl()
{
        local line replies=()

        COMPREPLY=()
        while IFS= read -r line; do
                replies+=("$line")
        done < <("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
        if [ "${replies[0]-}" = ':files' ]; then
                line=${COMP_WORDS[COMP_CWORD]}
                [ "$line" = '=' ] && line=
                compopt -o filenames 2>/dev/null
                while IFS= read -r line; do
                        COMPREPLY+=("$line")
                done < <(compgen -f -- "$line")
                return
        fi
        for line in "${replies[@]}"; do
                printf -v line '%q' "$line"
                COMPREPLY+=("$line")
        done
}
complete -F _compute_agentctl compute-agentctl
