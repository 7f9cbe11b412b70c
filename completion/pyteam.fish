# fish completion for pyteam. The programs themselves say what may follow: see src/pyteam/cli/completion.py.
# Installed under the name of each program (teamd.fish, teamdctl.fish, ...), it is loaded when that is completed.

function __pyteam_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l answer ($words[1] --complete $words[2..] "$current" 2>/dev/null)
    or return
    test -n "$answer[1]"; or return
    switch "$answer[1]"
        case :files
            __fish_complete_path "$current"
        case :directories
            __fish_complete_directories "$current" ""
        case '*'
            printf '%s\n' $answer
    end
end

for program in teamd teamdctl teamnl bond2team team2bond pyteam
    complete -c $program -f -a '(__pyteam_complete)'
end
