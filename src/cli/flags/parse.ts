import { type FlagShape, isEngineError, parseArguments, type ParsedArguments } from '../../base/index.ts';
import type { CommandSpec, Flag, Parsed } from './types.ts';

/** A command line that cannot be read; `main` prints it with a hint and ends with docker's 125. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  constructor(message: string, readonly exitCode = 125) {
    super(message);
  }
}

/**
 * Reads a command line by the guide's rules (1.2.3.3; base/args.ts) and checks the values by the table.
 * @param flags the command's own first: they win over the common ones (`run -h` is the hostname)
 * @throws UsageError in docker's words.
 */
export function parseFlags(spec: CommandSpec, flags: readonly Flag[], argv: readonly string[]): Parsed {
  const values = new Map<string, string[]>();
  const { flags: given, positionals } = split(argv, flags.flatMap(shapesOf), spec.interspersed !== false);
  for (const { flag: { flag }, value } of given) {
    check(flag, value);
    const before = values.get(flag.name);
    if (before === undefined || flag.type !== 'list') values.set(flag.name, [value]);
    else before.push(value);
  }
  return { args: positionals, values };
}

interface Shape extends FlagShape {
  readonly flag: Flag;
}

function shapesOf(flag: Flag): Shape[] {
  const isSwitch = flag.type === 'bool';
  const main: Shape = { name: flag.name, isSwitch, flag, ...(flag.short === undefined ? {} : { short: flag.short }) };
  return [main, ...(flag.aliases ?? []).map((name) => ({ name, isSwitch, flag }))];
}

function split(argv: readonly string[], shapes: readonly Shape[], interspersed: boolean): ParsedArguments<Shape> {
  try {
    return parseArguments(argv, shapes, { interspersed });
  } catch (error) {
    throw isEngineError(error) ? new UsageError(error.message) : error;
  }
}

/** Go's strconv.ParseBool; undefined for any other word. */
function parseBool(text: string): boolean | undefined {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  return undefined;
}

function check(flag: Flag, value: string): void {
  const shown = flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
  if (flag.type === 'bool' && parseBool(value) === undefined) {
    throw new UsageError(`invalid argument "${value}" for "${shown}" flag: strconv.ParseBool: parsing "${value}": invalid syntax`);
  }
  if (flag.type !== 'int') return;
  const bad = (why: string) => new UsageError(`invalid argument "${value}" for "${shown}" flag: strconv.ParseInt: parsing "${value}": ${why}`);
  if (!/^[+-]?\d{1,100}$/.test(value)) throw bad('invalid syntax');
  if (BigInt.asIntN(64, BigInt(value.replace('+', ''))) !== BigInt(value.replace('+', ''))) throw bad('value out of range');
}

/** @throws UsageError in docker's words when there are too few or too many positional arguments. */
export function checkArgs(spec: CommandSpec, count: number): void {
  const { min, max } = spec.args;
  if (count >= min && count <= max) return;
  const plural = (n: number): string => (n === 1 ? `${n} argument` : `${n} arguments`);
  let want: string;
  if (max === 0) want = 'accepts no arguments';
  else if (min === max) want = `requires exactly ${plural(min)}`;
  else if (count < min) want = `requires at least ${plural(min)}`;
  else want = `requires at most ${plural(max)}`;
  throw new UsageError(`"isula ${spec.name}" ${want}.`, 1);
}

/** Typed access to parsed flags, with the table's defaults. */
export class FlagValues {
  readonly #defaults: ReadonlyMap<string, string | undefined>;

  constructor(flags: readonly Flag[], readonly parsed: Parsed) {
    this.#defaults = new Map(flags.map((flag) => [flag.name, flag.default]));
  }

  has(name: string): boolean {
    return this.parsed.values.has(name);
  }

  bool(name: string): boolean {
    const text = this.#last(name);
    return text !== undefined && parseBool(text) === true;
  }

  /** The value or the table's default, else empty. */
  text(name: string): string {
    return this.#last(name) ?? '';
  }

  int(name: string): number | undefined {
    const text = this.#last(name);
    return text === undefined || text === '' ? undefined : Number(text);
  }

  list(name: string): readonly string[] {
    return this.parsed.values.get(name) ?? [];
  }

  #last(name: string): string | undefined {
    // A name that is in no table is a programmer's slip, and would silently do nothing.
    if (!this.#defaults.has(name)) throw new TypeError(`No flag --${name} in this command's table`);
    return this.parsed.values.get(name)?.at(-1) ?? this.#defaults.get(name);
  }
}
