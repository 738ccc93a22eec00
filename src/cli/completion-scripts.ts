/** What a shell runs when it starts, so that it asks `ply` what may come next. */
export const completionScripts = {
  bash: `# ply completion bash: in ~/.bashrc, eval "$(ply completion bash)"
_ply() {
  local line lines=()
  while IFS= read -r line; do lines+=("$line"); done < <("\${1:-ply}" __complete bash "\${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
  COMPREPLY=("\${lines[@]:1}")
  if [[ \${lines[0]:-} == files ]]; then
    compopt -o default 2>/dev/null
  elif [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *[/:] ]]; then
    compopt -o nospace 2>/dev/null
  fi
  return 0
}
complete -F _ply ply
`,
  zsh: `#compdef ply
# ply completion zsh: in ~/.zshrc behind compinit, eval "$(ply completion zsh)"; or as a file _ply in a directory of $fpath
_ply() {
  local -a lines open closed
  lines=("\${(@f)$(command ply __complete words "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  if [[ $lines[1] == files ]]; then
    _files
    return
  fi
  lines=("\${(@)lines[2,-1]}")
  open=("\${(@M)lines:#*[/:]}")
  closed=("\${(@)lines:#*[/:]}")
  (( $#open )) && [[ -n $open[1] ]] && compadd -S '' -a open
  (( $#closed )) && [[ -n $closed[1] ]] && compadd -a closed
  return 0
}
if [[ $funcstack[1] == _ply ]]; then _ply "$@"; else compdef _ply ply; fi
`,
  fish: `# ply completion fish: in ~/.config/fish/completions/ply.fish
function __ply_complete
  set -l before (commandline -opc)
  set -l last (commandline -ct | string unescape)
  set -l lines (command ply __complete words $before[2..-1] "$last" 2>/dev/null)
  if test "$lines[1]" = files
    __fish_complete_path "$last"
  else if set -q lines[2]
    printf '%s\\n' $lines[2..-1]
  end
end
complete -c ply -e
complete -c ply -f -a '(__ply_complete)'
`,
} as const satisfies Readonly<Record<string, string>>

export type Shell = keyof typeof completionScripts
