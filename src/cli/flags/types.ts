/** How a flag's value is read. `bool` flags need none; the others take the next argument or what follows `=`. */
export type FlagType = 'bool' | 'string' | 'int' | 'list';

/** One flag of a command: feeds the parser, the help, completion and the manual pages. */
export interface Flag {
  /** Long name without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  readonly type: FlagType;
  /** Word for the value in help (docker's: `string`, `list`, `int`, `filter`, `bytes`). */
  readonly metavar?: string;
  readonly help: string;
  /** Shown in help where it is not the type's zero value, and used when the flag is absent. */
  readonly default?: string;
  /** Other spellings that are taken but not shown. */
  readonly aliases?: readonly string[];
  readonly hidden?: boolean;
  /** Values that completion offers. */
  readonly values?: readonly string[];
}

/** What completion offers for positional arguments. */
export type Completes = 'containers' | 'running' | 'images' | 'volumes' | 'containers-or-images' | 'files' | 'none';

export interface CommandSpec {
  /** As typed after `isula`: `run`, `volume create`. */
  readonly name: string;
  /** Synopsis after the name: `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly usage: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** Number of positional arguments. */
  readonly args: { readonly min: number; readonly max: number };
  /** False: the first positional argument ends the flags (run, create, exec, top). */
  readonly interspersed?: boolean;
  readonly completes?: Completes;
  /** Text after the options in help. */
  readonly notes?: string;
}

/** The parsed command line. */
export interface Parsed {
  readonly args: readonly string[];
  /** Values as given, in order; `list` flags may have several. Absent: not given. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}
