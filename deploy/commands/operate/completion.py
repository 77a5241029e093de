"""`holdfast completion`: what a shell needs to complete commands, made from the parser."""

import argparse
from collections.abc import Iterator

BASH = """\
# holdfast: eval "$(holdfast completion bash)"
_holdfast() {
    local word=${COMP_WORDS[COMP_CWORD]} path="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* ]] || path+=" ${COMP_WORDS[i]}"
    done
    while :; do
        case "$path" in
%s
        esac
        [[ $path == *" "* ]] || return
        path=${path%% *}
    done
}
complete -o default -F _holdfast holdfast
"""
CASE = """\
            "{path}") COMPREPLY=($(compgen -W "{words}" -- "$word")); return ;;"""
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script for bash or zsh."""
    cases = [CASE.format(path=path, words=" ".join(words)) for path, words in _words(parser, "")]
    script = BASH % "\n".join(cases)
    return ZSH + script if shell == "zsh" else script


def _words(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what may follow each path of commands."""
    words: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                words.append(name)
                yield from _words(sub, f"{path} {name}")
        else:
            words += [option for option in action.option_strings if option.startswith("--")]
            words += map(str, action.choices or ())
    yield path, words
