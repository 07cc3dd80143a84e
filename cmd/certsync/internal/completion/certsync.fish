# fish completion for certsync, made by `certsync completion fish`.

function __certsync_ask
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l program (string replace -r '^~(?=/)' -- $HOME $words[1])
    set -g __certsync_answer
    command -q $program; or return 0
    set __certsync_answer ($program __complete $words[2..-1] "$word" 2>/dev/null)
    # Without what is below, fish completes the names of files.
    test "$__certsync_answer[1]" != :files
end

complete -c certsync -n __certsync_ask -f -a '$__certsync_answer'
