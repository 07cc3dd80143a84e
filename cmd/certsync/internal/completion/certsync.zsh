#compdef certsync
# zsh completion for certsync, made by `certsync completion zsh`.

_certsync() {
    local program=${(Q)words[1]} line word about
    local -a answer offered
    [[ $program == '~/'* ]] && program=$HOME/${program#'~/'}
    answer=("${(@f)$("$program" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    if [[ $answer[1] == :files ]]; then
        compset -P '*='
        _files
        return
    fi
    for line in $answer; do
        word=${line%%$'\t'*} about=${line#*$'\t'}
        offered+=("${word//:/\\:}${about:+:$about}")
    done
    _describe -V certsync offered
}

# As a file in $fpath this is the body of the function _certsync, which is being called; else it is evaluated.
if [[ $funcstack[1] == _certsync ]]; then
    _certsync "$@"
else
    compdef _certsync certsync
fi
