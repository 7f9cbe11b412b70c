# bash completion for pyteam. The programs themselves say what may follow: see src/pyteam/cli/completion.py.
# Installed under the name of each program (teamd, teamdctl, teamnl, ...), it is loaded when that is completed.

_pyteam() {
    local answer
    COMPREPLY=()
    answer=$("$1" --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return 0
    case $answer in
        "") ;;
        :files) compopt -o default 2>/dev/null ;;
        :directories) compopt -o dirnames 2>/dev/null ;;
        *) mapfile -t COMPREPLY < <(cut -f 1 <<<"$answer") ;;
    esac
}

complete -F _pyteam teamd teamdctl teamnl bond2team team2bond pyteam
