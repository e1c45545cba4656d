import { type Command, ExitError } from '../command.ts';
import { commonFlags, type CommandSpec, type Flag } from '../flags/index.ts';
import { print } from '../terminal/output.ts';
import { entries, groupAliases, groups } from './index.ts';

/** `isula completion bash|zsh`: the script is made of the same tables as the parser and the help. */
export const completion: Command = {
  spec: {
    name: 'completion', usage: 'bash|zsh', summary: 'Print a completion script for bash or zsh', args: { min: 1, max: 1 }, flags: [],
    notes: 'bash: source <(isula completion bash)\nzsh:  isula completion zsh > "${fpath[1]}/_isula"',
  },
  async run({ args: [shell = ''] }) {
    if (shell !== 'bash' && shell !== 'zsh') {
      throw new ExitError(125, `Cannot complete for ${JSON.stringify(shell)}: the shells known are bash and zsh`);
    }
    const specs = new Map<string, CommandSpec>();
    for (const entry of entries.values()) specs.set(entry.name, (await entry.load()).spec);
    print(shell === 'bash' ? bashScript(specs) : `#compdef isula\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(specs)}`);
    return 0;
  },
};

/** Words that name a command -> its specification's name. */
function paths(): [path: string, target: string][] {
  const top = [...entries.keys()].filter((name) => !name.includes(' ')).map((name): [string, string] => [name, name]);
  const inGroups = [...groups].flatMap(
    ([group, { commands }]) => [...commands].map(([word, target]): [string, string] => [`${group} ${word}`, target]),
  );
  return [...top, ...inGroups];
}

function words(flags: readonly Flag[]): string {
  return flags.filter((flag) => flag.hidden !== true).flatMap(
    (flag) => [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])],
  ).join(' ');
}

/** `|`-separated patterns of the flags that take a value. */
function valued(flags: readonly Flag[]): string {
  return flags.filter((flag) => flag.type !== 'bool').flatMap(
    (flag) => [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])],
  ).join('|');
}

function bashScript(specs: ReadonlyMap<string, CommandSpec>): string {
  const flagCases: string[] = [];
  const valueCases: string[] = [];
  const nounCases: string[] = [];
  for (const [path, target] of paths()) {
    const spec = specs.get(target);
    if (spec === undefined) continue;
    const own = new Set(spec.flags.map((flag) => flag.short));
    const flags = [...spec.flags, ...commonFlags.filter((flag) => !own.has(flag.short))];
    flagCases.push(`    '${path}') flags='${words(flags)}'; valued='${valued(flags)}' ;;`);
    for (const flag of spec.flags) {
      if (flag.values !== undefined) {
        valueCases.push(`    '${path} --${flag.name}') COMPREPLY=($(compgen -W '${flag.values.join(' ')}' -- "$cur")); return ;;`);
      }
    }
    const nouns = spec.completes;
    if (nouns !== undefined && nouns !== 'none') nounCases.push(`    '${path}') __isula_${nouns.replaceAll('-', '_')} ;;`);
  }
  const commands = [...entries.keys()].filter((name) => !name.includes(' '));
  const groupCases = [...groups].map(
    ([name, { commands: below }]) => `      ${name}) subcommands='${[...below.keys()].filter((word) => !groupAliases.has(word)).join(' ')}' ;;`,
  );
  return `# Completion of isula. Made by "isula completion": do not edit.
__isula_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); }
__isula_list() { "\${isula_call[@]}" "$@" 2>/dev/null; }
__isula_containers() { __isula_words "$(__isula_list ps -a --format '{{.Names}}')"; }
__isula_running() { __isula_words "$(__isula_list ps --format '{{.Names}}')"; }
__isula_images() {
  __isula_words "$(__isula_list images --format '{{.Ref}}')"; type __ltrim_colon_completions >/dev/null 2>&1 && __ltrim_colon_completions "$cur";
}
__isula_volumes() { __isula_words "$(__isula_list volume ls -q)"; }
__isula_containers_or_images() { __isula_words "$(__isula_list ps -a --format '{{.Names}}') $(__isula_list images --format '{{.Ref}}')"; }
__isula_files() { COMPREPLY=($(compgen -f -- "$cur")); }
_isula() {
  local cur prev word path='' subcommands='' flags valued='--host|-H|--tlscacert|--tlscert|--tlskey' skip='' isula_call=("\${COMP_WORDS[0]}") index
  COMPREPLY=()
  cur="\${COMP_WORDS[COMP_CWORD]}"
  prev="\${COMP_WORDS[COMP_CWORD-1]}"
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    if [ -n "$skip" ]; then
      [ "$skip" = host ] && isula_call+=(-H "$word")
      skip=''
      continue
    fi
    case "$word" in
      -H|--host) skip=host; continue ;;
      --tlscacert|--tlscert|--tlskey) skip=value; continue ;;
      -*) continue ;;
    esac
    if [ -z "$path" ]; then
      path="$word"
      case "$word" in
${groupCases.join('\n')}
        *) break ;;
      esac
    else
      path="$path $word"
      subcommands=''
      break
    fi
  done
  if [ -z "$path" ]; then
    case "$cur" in
      -*) __isula_words '${words(commonFlags)} --version -v' ;;
      *) __isula_words '${[...commands, ...groups.keys()].join(' ')}' ;;
    esac
    return
  fi
  if [ -n "$subcommands" ]; then
    __isula_words "$subcommands"
    return
  fi
  case "$path" in
${flagCases.join('\n')}
    *) return ;;
  esac
  case "$path $prev" in
${valueCases.join('\n')}
  esac
  case "$cur" in
    -*) __isula_words "$flags"; return ;;
  esac
  case "|$valued|" in
    *"|$prev|"*) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  case "$path" in
${nounCases.join('\n')}
    *) COMPREPLY=($(compgen -f -- "$cur")) ;;
  esac
}
complete -o default -F _isula isula
`;
}
