import { EngineError } from './errors.ts';

/** What the parser must know of a flag; tables of options extend it. */
export interface FlagShape {
  /** Without the dashes. */
  readonly name: string;
  /** One character. */
  readonly short?: string;
  /** A switch: it takes a value only after `=`. */
  readonly isSwitch: boolean;
}

export interface ParsedFlag<Flag extends FlagShape> {
  readonly flag: Flag;
  /** `true` for a switch that stands alone. */
  readonly value: string;
}

export interface ParsedArguments<Flag extends FlagShape> {
  /** In the order they were given. */
  readonly flags: ParsedFlag<Flag>[];
  /** What is no flag, in order. */
  readonly positionals: string[];
}

/**
 * Splits an argument vector by the guide's rules (1.2.3.3): `--name=value`, `--name value`; after one dash every letter is a short
 * flag, `=value` belongs to the last one, and a value flag elsewhere takes the next word (`-du=root`, `-du root`, `-ud root`); `-uroot` and
 * `-u:root` are errors. `--` ends the flags. With `interspersed` false the first positional ends them too.
 * @throws EngineError invalidArgument, in docker's words.
 */
export function parseArguments<Flag extends FlagShape>(
  argv: readonly string[],
  table: readonly Flag[],
  options: { interspersed: boolean },
): ParsedArguments<Flag> {
  const flags: ParsedFlag<Flag>[] = [];
  const positionals: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--') {
      positionals.push(...argv.slice(at + 1));
      break;
    }
    if (word === '-' || !word.startsWith('-')) {
      positionals.push(word);
      if (options.interspersed) continue;
      positionals.push(...argv.slice(at + 1));
      break;
    }
    const found = word.startsWith('--') ? longFlag(word, table) : shortFlags(word, table);
    for (const { flag, value, shown } of found) {
      if (value !== undefined) {
        flags.push({ flag, value });
        continue;
      }
      const next = argv[++at];
      if (next === undefined) throw new EngineError('invalidArgument', `flag needs an argument: ${shown}`);
      flags.push({ flag, value: next });
    }
  }
  return { flags, positionals };
}

interface Found<Flag> {
  flag: Flag;
  /** Undefined: the next word is its value. */
  value: string | undefined;
  shown: string;
}

function longFlag<Flag extends FlagShape>(word: string, table: readonly Flag[]): Found<Flag>[] {
  const equals = word.indexOf('=');
  const name = word.slice(2, equals < 0 ? undefined : equals);
  const flag = table.find((candidate) => candidate.name === name);
  if (!flag) throw new EngineError('invalidArgument', `unknown flag: --${name}`);
  const value = equals >= 0 ? word.slice(equals + 1) : flag.isSwitch ? 'true' : undefined;
  return [{ flag, value, shown: `--${name}` }];
}

function shortFlags<Flag extends FlagShape>(word: string, table: readonly Flag[]): Found<Flag>[] {
  const equals = word.indexOf('=');
  const letters = [...word.slice(1, equals < 0 ? undefined : equals)];
  const found = letters.map((letter, index): Found<Flag> => {
    const flag = table.find((candidate) => candidate.short === letter);
    if (!flag) throw new EngineError('invalidArgument', `unknown shorthand flag: '${letter}' in ${word}`);
    const isLast = index === letters.length - 1;
    const value = isLast && equals >= 0 ? word.slice(equals + 1) : flag.isSwitch ? 'true' : undefined;
    return { flag, value, shown: `'${letter}' in ${word}` };
  });
  if (found.length === 0) throw new EngineError('invalidArgument', `unknown shorthand flag: '=' in ${word}`);
  return found;
}
