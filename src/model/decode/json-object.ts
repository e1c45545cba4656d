import { EngineError, isRecord } from '../../base/index.ts';

/** Most entries of one list or map in a request body. */
export const maxJsonEntries = 16_384;
/** Longest string of a request body, in UTF-16 units: beyond it the kernel would refuse an argument anyway. */
const maxJsonStringLength = 1024 * 1024;
/** The range of Go's int64; JSON numbers near its ends lose their last digits here, which no limit of ours needs. */
const int64Limit = 2 ** 63;

function wrong(path: string, want: string): EngineError {
  return new EngineError('invalidArgument', `invalid JSON: ${path} must be ${want}`);
}

function checkEntries(count: number, path: string): void {
  if (count > maxJsonEntries) throw new EngineError('tooLarge', `invalid JSON: ${path} has ${count} entries, at most ${maxJsonEntries} are allowed`);
}

function asString(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrong(path, 'a string');
  if (value.length > maxJsonStringLength) throw new EngineError('tooLarge', `invalid JSON: ${path} is longer than ${maxJsonStringLength} characters`);
  if (value.includes('\0')) throw wrong(path, 'a string without NUL characters');
  return value;
}

/**
 * A JSON object of a request, read by name with Go's rules (encoding/json): names match without regard to case, `null` and
 * absent mean the default, unknown names are ignored, a wrong type is an error that names the field's path.
 */
export class JsonObject {
  readonly #fields: Record<string, unknown>;
  #folded: Map<string, unknown> | undefined;

  /** @throws invalidArgument when `value` is no object. `path` names it in messages; empty for the body itself. */
  constructor(value: unknown, readonly path: string) {
    if (!isRecord(value)) throw wrong(path === '' ? 'the request body' : path, 'an object');
    checkEntries(Object.keys(value).length, path === '' ? 'the request body' : path);
    this.#fields = value;
  }

  /** The raw value, undefined for absent and null. */
  raw(key: string): unknown {
    if (Object.hasOwn(this.#fields, key)) return this.#fields[key] ?? undefined;
    this.#folded ??= new Map(Object.entries(this.#fields).map(([name, value]) => [name.toLowerCase(), value]));
    return this.#folded.get(key.toLowerCase()) ?? undefined;
  }

  /** The path of a field, for messages. */
  pathOf(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  string(key: string, fallback = ''): string {
    return this.optionalString(key) ?? fallback;
  }

  optionalString(key: string): string | undefined {
    const value = this.raw(key);
    return value === undefined ? undefined : asString(value, this.pathOf(key));
  }

  boolean(key: string, fallback = false): boolean {
    return this.optionalBoolean(key) ?? fallback;
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.raw(key);
    if (value !== undefined && typeof value !== 'boolean') throw wrong(this.pathOf(key), 'a boolean');
    return value;
  }

  /** An integer in the range of int64. */
  integer(key: string, fallback = 0): number {
    return this.optionalInteger(key) ?? fallback;
  }

  optionalInteger(key: string): number | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'number') throw wrong(this.pathOf(key), 'a number');
    if (!Number.isInteger(value) || Math.abs(value) > int64Limit) throw wrong(this.pathOf(key), 'a 64-bit integer');
    return value;
  }

  strings(key: string): string[] {
    return this.optionalStrings(key) ?? [];
  }

  optionalStrings(key: string): string[] | undefined {
    return this.#list(key)?.map((item, index) => asString(item ?? '', `${this.pathOf(key)}[${index}]`));
  }

  /** Docker's StrSlice: a list of strings, or one string. */
  stringOrStrings(key: string): string[] | undefined {
    const value = this.raw(key);
    return typeof value === 'string' ? [asString(value, this.pathOf(key))] : this.optionalStrings(key);
  }

  stringMap(key: string): Record<string, string> {
    return Object.fromEntries(this.#entries(key).map(([name, value]) => [name, asString(value ?? '', `${this.pathOf(key)}.${name}`)]));
  }

  /** Go's `map[string]struct{}`: only the names count. */
  nameSet(key: string): Record<string, Record<string, never>> | undefined {
    if (this.raw(key) === undefined) return undefined;
    return Object.fromEntries(this.#entries(key).map(([name, value]) => {
      if (value !== null && !isRecord(value)) throw wrong(`${this.pathOf(key)}.${name}`, 'an object');
      return [name, {}];
    }));
  }

  object(key: string): JsonObject | undefined {
    const value = this.raw(key);
    return value === undefined ? undefined : new JsonObject(value, this.pathOf(key));
  }

  objects(key: string): JsonObject[] {
    return (this.#list(key) ?? []).map((item, index) => new JsonObject(item, `${this.pathOf(key)}[${index}]`));
  }

  /** A map whose values are objects. */
  objectMap(key: string): [string, JsonObject][] {
    return this.#entries(key).map(([name, value]) => [name, new JsonObject(value ?? {}, `${this.pathOf(key)}.${name}`)]);
  }

  /** A map whose values are lists of objects (null: an empty list). */
  objectListMap(key: string): [string, JsonObject[]][] {
    return this.#entries(key).map(([name, value]) => {
      const path = `${this.pathOf(key)}.${name}`;
      if (value === null) return [name, []];
      if (!Array.isArray(value)) throw wrong(path, 'a list');
      checkEntries(value.length, path);
      return [name, value.map((item: unknown, index) => new JsonObject(item, `${path}[${index}]`))];
    });
  }

  /** A list of lists of strings. */
  stringLists(key: string): string[][] {
    return (this.#list(key) ?? []).map((inner, index) => {
      const path = `${this.pathOf(key)}[${index}]`;
      if (!Array.isArray(inner)) throw wrong(path, 'a list');
      checkEntries(inner.length, path);
      return inner.map((item: unknown, at) => asString(item, `${path}[${at}]`));
    });
  }

  #list(key: string): unknown[] | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw wrong(this.pathOf(key), 'a list');
    checkEntries(value.length, this.pathOf(key));
    return value;
  }

  #entries(key: string): [string, unknown][] {
    const value = this.raw(key);
    if (value === undefined) return [];
    if (!isRecord(value)) throw wrong(this.pathOf(key), 'an object');
    const entries = Object.entries(value);
    checkEntries(entries.length, this.pathOf(key));
    for (const [name] of entries) asString(name, `a name in ${this.pathOf(key)}`);
    return entries;
  }
}
