# bash completion for certsync, made by `certsync completion bash`. It keeps to bash 3.2, which macOS has.

_certsync() {
    local program=$1 word line head='' glued='' answer i n=0
    local -a words
    COMPREPLY=()
    case $program in
        '~/'*) program=$HOME/${program#'~/'} ;;
    esac
    # Newer bashes take --output=json for three words, and alice@example.com too. certsync wants what was typed.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            [=:@]*)
                if ((n > 0)); then
                    words[n - 1]=${words[n - 1]}$word
                    glued=yes
                    continue
                fi
                ;;
            ?*)
                if [[ -n $glued ]]; then
                    words[n - 1]=${words[n - 1]}$word
                    glued=''
                    continue
                fi
                ;;
        esac
        words[n]=$word
        glued=''
        n=$((n + 1))
    done
    ((n > 0)) || return 0
    answer=$("$program" __complete "${words[@]}" 2>/dev/null) || return 0
    # Of --output=js only what is behind the = is replaced.
    word=${words[n - 1]}
    case $word in
        *=*) [[ $COMP_WORDBREAKS == *=* ]] && head=${word%%=*}= ;;
    esac
    while IFS= read -r line; do
        case $line in
            :files) return 0 ;; # nothing in COMPREPLY: `-o default` below has readline complete the names of files
            ?*)
                line=${line%%$'\t'*}
                COMPREPLY[${#COMPREPLY[@]}]=${line#"$head"}
                ;;
        esac
    done <<<"$answer"
    if ((${#COMPREPLY[@]} == 0)); then
        compopt +o default 2>/dev/null # not in 3.2, where files are offered then
    fi
    return 0
}

complete -o default -F _certsync certsync
