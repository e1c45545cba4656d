import type { FlagShape } from '../../base/index.ts';
import type { ConfigDraft } from './config.ts';
import type { Kind } from './kinds.ts';

/** One thing the daemon can be told: its flag, its key in the file, how it is read, checked and kept. */
export interface DaemonOption extends FlagShape {
  /** Empty: the file's alone. */
  readonly name: string;
  readonly isRepeatable: boolean;
  readonly help: string;
  /** Keys of daemon.json or daemon_constants.json, the documented one first; `a.b` is b within the object a. Empty: a flag alone. */
  readonly keys: readonly string[];
  readonly file: 'daemon' | 'constants';
  /** In both places it stops the start (guide 1.2.3.4, 1.3.3.8); the name the message uses. */
  readonly exclusiveAs: string | undefined;
  takeFlags(values: readonly string[], draft: ConfigDraft): void;
  takeJson(value: unknown, draft: ConfigDraft): void;
}

interface OptionSpec<T> {
  flag?: string;
  short?: string;
  help?: string;
  keys?: readonly string[];
  file?: 'constants';
  exclusiveAs?: string;
  kind: Kind<T>;
  /** Checks the value and keeps it. @throws EngineError `want …`. */
  set(draft: ConfigDraft, value: T): void;
}

export function option<T>(spec: OptionSpec<T>): DaemonOption {
  const { kind } = spec;
  return {
    name: spec.flag ?? '',
    ...(spec.short === undefined ? {} : { short: spec.short }),
    isSwitch: kind.isSwitch,
    isRepeatable: kind.isRepeatable,
    help: spec.help ?? '',
    keys: spec.keys ?? [],
    file: spec.file ?? 'daemon',
    exclusiveAs: spec.exclusiveAs,
    takeFlags: (values, draft) => spec.set(draft, kind.fromFlags(values)),
    takeJson: (value, draft) => spec.set(draft, kind.fromJson(value)),
  };
}
