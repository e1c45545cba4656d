import { EngineError, isRecord } from '../base/index.ts';

/** Reading JSON that came from outside: every value is `unknown` until a guard has looked at it. */
export type JsonObject = Record<string, unknown>;

export function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

export function isStringMap(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((item) => typeof item === 'string');
}

/** @throws invalidArgument `Cannot read WHAT: …`. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new EngineError('invalidArgument', `Cannot read ${what}: not valid JSON`);
  }
}

/** @throws invalidArgument when the document is no object. */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  const value = parseJson(bytes, what);
  if (!isRecord(value)) throw new EngineError('invalidArgument', `Cannot read ${what}: not a JSON object`);
  return value;
}

/** The string at `key`, or undefined when absent or null. @throws invalidArgument for another type. */
export function optionalString(object: JsonObject, key: string, what: string): string | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new EngineError('invalidArgument', `Cannot read ${what}: "${key}" is not a string`);
  return value;
}

/** The list at `key`; absent or null counts as empty. @throws invalidArgument for another type, or more than `max` items. */
export function listAt(object: JsonObject, key: string, what: string, max: number): unknown[] {
  const value = object[key];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new EngineError('invalidArgument', `Cannot read ${what}: "${key}" is not a list`);
  if (value.length > max) throw new EngineError('tooLarge', `Cannot read ${what}: "${key}" has ${value.length} items, at most ${max} are allowed`);
  return value;
}
