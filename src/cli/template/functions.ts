import { isObject } from '../../client/index.ts';
import { sprintf } from './printf.ts';
import { show, toJson, truth, typeName } from './value.ts';

/** A function of a template. Throws an Error with Go's message for arguments it cannot take. */
export type TemplateFunction = (...args: unknown[]) => unknown;

/** What a template may build by padding or repetition. */
const padMax = 10_000;

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Error(`wrong type for value; expected string; got ${typeName(value)}`);
}

function whole(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new Error(`wrong type for value; expected int; got ${typeName(value)}`);
}

function length(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isObject(value)) return Object.keys(value).length;
  throw new Error(value === undefined || value === null ? 'len of nil pointer' : `len of type ${typeName(value)}`);
}

function index(value: unknown, ...keys: unknown[]): unknown {
  let here = value;
  for (const key of keys) {
    if (here === undefined || here === null) throw new Error('index of untyped nil');
    if (Array.isArray(here)) {
      const position = whole(key);
      if (position < 0 || position >= here.length) throw new Error(`index out of range: ${position}`);
      here = here[position];
    } else if (typeof here === 'string') {
      const byte = Buffer.from(here)[whole(key)];
      if (byte === undefined) throw new Error(`index out of range: ${show(key)}`);
      here = byte;
    } else if (isObject(here)) {
      const name = text(key);
      here = Object.hasOwn(here, name) ? here[name] : undefined;
    } else throw new Error(`can't index item of type ${typeName(here)}`);
  }
  return here;
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  if (typeof value !== 'string' && !Array.isArray(value)) throw new Error(`can't slice item of type ${typeName(value)}`);
  const start = whole(from);
  const stop = to === undefined ? value.length : whole(to);
  if (start < 0 || stop > value.length || start > stop) throw new Error(`index out of range: ${start < 0 || start > value.length ? start : stop}`);
  return value.slice(start, stop);
}

function basic(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function same(a: unknown, b: unknown): boolean {
  if ((a === undefined || a === null) || (b === undefined || b === null)) return (a ?? null) === (b ?? null);
  if (!basic(a) || !basic(b)) throw new Error('non-comparable type');
  if (typeof a !== typeof b) throw new Error('incompatible types for comparison');
  return a === b;
}

function equal(first: unknown, ...others: unknown[]): boolean {
  if (others.length === 0) throw new Error('missing argument for comparison');
  return others.some((other) => same(first, other));
}

function less(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  if (typeof a === 'string' && typeof b === 'string') return a < b;
  throw new Error(typeof a === typeof b ? 'invalid type for comparison' : 'incompatible types for comparison');
}

function pad(value: unknown, prefix: unknown, suffix: unknown): string {
  const word = text(value);
  const side = (count: unknown): string => ' '.repeat(Math.max(0, Math.min(padMax, whole(count))));
  return word === '' ? word : side(prefix) + word + side(suffix);
}

/** What docker's --format and text/template offer. `and`/`or` are evaluated lazily by exec.ts. */
export const functions: Readonly<Record<string, TemplateFunction>> = {
  json: (value) => toJson(value),
  split: (value, separator) => text(value).split(text(separator)),
  join: (list, separator) => {
    if (list === undefined || list === null) return '';
    if (!Array.isArray(list)) throw new Error(`wrong type for value; expected []string; got ${typeName(list)}`);
    return list.map((item) => show(item)).join(text(separator));
  },
  title: (value) => text(value).replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_all, before: string, letter: string) => before + letter.toUpperCase()),
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  pad,
  truncate: (value, count) => [...text(value)].slice(0, Math.max(0, whole(count))).join(''),
  println: (...args) => `${args.map((value) => show(value)).join(' ')}\n`,
  print: (...args) => printed(args),
  printf: (format, ...args) => sprintf(text(format), args),
  len: length,
  index,
  slice,
  not: (value) => !truth(value),
  and: (...args) => args.find((value) => !truth(value)) ?? args.at(-1),
  or: (...args) => args.find((value) => truth(value)) ?? args.at(-1),
  eq: equal,
  ne: (a, b) => !equal(a, b),
  lt: less,
  le: (a, b) => less(a, b) || equal(a, b),
  gt: (a, b) => less(b, a),
  ge: (a, b) => less(b, a) || equal(a, b),
  html: (value) => show(value).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`),
  js: (value) => JSON.stringify(show(value)).slice(1, -1),
  urlquery: (value) => encodeURIComponent(show(value)).replaceAll('%20', '+'),
};

/** Go's fmt.Sprint: a space between two operands when neither is a string. */
function printed(args: readonly unknown[]): string {
  let out = '';
  args.forEach((value, position) => {
    if (position > 0 && typeof value !== 'string' && typeof args[position - 1] !== 'string') out += ' ';
    out += show(value);
  });
  return out;
}

/** How many arguments a function takes, for Go's message. */
export const arity: Readonly<Record<string, readonly [min: number, max: number]>> = {
  json: [1, 1], split: [2, 2], join: [2, 2], title: [1, 1], lower: [1, 1], upper: [1, 1], pad: [3, 3], truncate: [2, 2], len: [1, 1],
  index: [1, 100], slice: [1, 3], not: [1, 1], and: [1, 100], or: [1, 100], eq: [1, 100], ne: [2, 2], lt: [2, 2], le: [2, 2], gt: [2, 2],
  ge: [2, 2], printf: [1, 100], print: [0, 100], println: [0, 100], html: [1, 1], js: [1, 1], urlquery: [1, 1],
};

/** A table's header is the template run over the columns' titles: functions that would change them pass them on (docker's HeaderFunctions). */
const passOn: TemplateFunction = (first) => first;
export const headerFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...functions, json: passOn, title: passOn, lower: passOn, upper: passOn, truncate: passOn, pad, split: passOn, join: passOn,
};
