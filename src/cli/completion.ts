import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";

/** Each asks `kumiko __complete` for what may stand at the cursor, so that nothing here knows a command. */
const SCRIPTS = {
  bash: `# kumiko completion for bash. Load it with:  source <(kumiko completion bash)
_kumiko() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _kumiko kumiko
`,
  zsh: `#compdef kumiko
# kumiko completion for zsh. Load it with:  source <(kumiko completion zsh)
_kumiko() {
  local -a candidates
  candidates=(\${(f)"$(\${words[1]} __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null | sed -e 's/:/\\\\:/g' -e 's/\\t/:/')"})
  if (( \${#candidates} )); then _describe kumiko candidates; else _files; fi
}
compdef _kumiko kumiko
`,
  fish: `# kumiko completion for fish. Load it with:  kumiko completion fish | source
function __kumiko_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c kumiko -a '(__kumiko_complete)'
`,
} as const;

export const completion = defineCommand({
  name: "completion",
  summary: "Print a shell's completion script",
  arguments: [{ name: "shell", help: "which shell", choices: Object.keys(SCRIPTS) }],
  examples: ["source <(kumiko completion bash)", "kumiko completion fish > ~/.config/fish/completions/kumiko.fish"],
  async run({ args, io }) {
    io.stdout.write(SCRIPTS[args[0] as keyof typeof SCRIPTS]);
    return EXIT.done;
  },
});
