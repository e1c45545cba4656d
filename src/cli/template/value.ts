import { isObject, type JsonObject } from '../../client/index.ts';

/** A field that is computed, as docker's formatter methods are: called with the arguments that follow it. */
export type Method = (...args: unknown[]) => unknown;

export function isMethod(value: unknown): value is Method {
  return typeof value === 'function';
}

/** A map's keys in Go's order of printing. */
export function sortedKeys(value: JsonObject): string[] {
  return Object.keys(value).filter((key) => typeof value[key] !== 'function').toSorted();
}

/** What Go's templates count as true: not the zero value, not empty. */
export function truth(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  if (isObject(value)) return Object.keys(value).length > 0;
  return true;
}

/** Go's %v. `quoted` is %q for strings inside. */
export function show(value: unknown, quoted = false): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (typeof value === 'string') return quoted ? JSON.stringify(value) : value;
  if (typeof value === 'number') return showNumber(value);
  if (Array.isArray(value)) return `[${value.map((item) => show(item, quoted)).join(' ')}]`;
  if (isObject(value)) return `map[${sortedKeys(value).map((key) => `${key}:${show(value[key], quoted)}`).join(' ')}]`;
  return String(value);
}

/** Whole numbers plainly, others as Go's %v of a float64 (shortest, exponent from 21 digits on). */
function showNumber(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** Go's encoding/json: as JSON.stringify, but keys as given and `<`, `>`, `&` kept (docker turns HTML escaping off). */
export function toJson(value: unknown): string {
  return JSON.stringify(value) ?? 'null';
}

/** The Go type an error message names. */
export function typeName(value: unknown): string {
  if (value === undefined || value === null) return 'interface {}';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}';
}
