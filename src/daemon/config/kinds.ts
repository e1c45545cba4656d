import { EngineError, isRecord } from '../../base/index.ts';

/**
 * How a value is read from flags (text, maybe several) and from JSON. Both throw EngineError invalidArgument with what is wanted
 * (`want …`); the loader adds file, key and value.
 */
export interface Kind<T> {
  readonly isSwitch: boolean;
  /** A flag that may be given several times. */
  readonly isRepeatable: boolean;
  fromFlags(values: readonly string[]): T;
  fromJson(value: unknown): T;
}

/** The error of every reader and check here. */
export function wanted(what: string): EngineError {
  return new EngineError('invalidArgument', `want ${what}`);
}

/** Longest string, longest list and most keys of an object in a configuration. */
const maxLength = 4096;
const maxItems = 1000;

export function stringOf(value: unknown): string {
  if (typeof value !== 'string') throw wanted('a string');
  if (value.length > maxLength) throw wanted(`at most ${maxLength} characters`);
  if (/[\0-\x1f\x7f]/.test(value)) throw wanted('no control characters');
  return value;
}

function strings(value: unknown): string[] {
  if (!Array.isArray(value)) throw wanted('a list of strings');
  if (value.length > maxItems) throw wanted(`at most ${maxItems} items`);
  return value.map((item: unknown) => {
    if (typeof item !== 'string') throw wanted('a list of strings');
    return stringOf(item);
  });
}

/** The entries of a JSON object. */
export function entriesOf(value: unknown): [string, unknown][] {
  if (!isRecord(value)) throw wanted('an object');
  const entries = Object.entries(value);
  if (entries.length > maxItems) throw wanted(`at most ${maxItems} keys`);
  return entries;
}

export const text: Kind<string> = {
  isSwitch: false,
  isRepeatable: false,
  fromFlags: (values) => stringOf(values.at(-1)),
  fromJson: stringOf,
};

export const toggle: Kind<boolean> = {
  isSwitch: true,
  isRepeatable: false,
  fromFlags(values) {
    const value = values.at(-1) ?? '';
    // Go's strconv.ParseBool, as docker's flags.
    if (/^(?:1|t|T|true|TRUE|True)$/.test(value)) return true;
    if (/^(?:0|f|F|false|FALSE|False)$/.test(value)) return false;
    throw wanted('true or false');
  },
  fromJson(value) {
    if (typeof value !== 'boolean') throw wanted('true or false');
    return value;
  },
};

export const port: Kind<number> = {
  isSwitch: false,
  isRepeatable: false,
  fromFlags(values) {
    const value = values.at(-1) ?? '';
    if (!/^[0-9]{1,6}$/.test(value)) throw wanted('a whole number');
    return Number(value);
  },
  fromJson(value) {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw wanted('a whole number');
    return value;
  },
};

export const list: Kind<string[]> = { isSwitch: false, isRepeatable: true, fromFlags: strings, fromJson: strings };

/** A list that the file may also give as one string (`hosts`). */
export const listOrText: Kind<string[]> = {
  ...list,
  fromJson: (value) => (typeof value === 'string' ? [stringOf(value)] : strings(value)),
};

/** `key=value`, several times; an object of strings in the file. */
export const pairs: Kind<Record<string, string>> = {
  isSwitch: false,
  isRepeatable: true,
  fromFlags(values) {
    return Object.fromEntries(strings(values).map((value) => {
      const equals = value.indexOf('=');
      if (equals < 1) throw wanted('key=value');
      return [value.slice(0, equals), value.slice(equals + 1)];
    }));
  },
  fromJson: (value) => Object.fromEntries(entriesOf(value).map(([key, item]) => {
    if (typeof item !== 'string') throw wanted('an object of strings');
    return [stringOf(key), stringOf(item)];
  })),
};

/** A value that only the file has; `read` turns the JSON value into it. */
export function fileOnly<T>(read: (value: unknown) => T): Kind<T> {
  return {
    isSwitch: false,
    isRepeatable: false,
    fromFlags() {
      throw wanted('no flag');
    },
    fromJson: read,
  };
}
