#compdef compute-agentctl
# Completion of compute-agentctl for zsh: the program itself knows what may come next.
_compute_agentctl()
{
        local -a replies
        replies=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
        if [[ "${replies[1]}" == ':files' ]]; then
                _files
        elif [[ -n "${replies[1]}" ]]; then
                compadd -a replies
        fi
}
_compute_agentctl "$@"
