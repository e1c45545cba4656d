import { EngineError } from './errors.ts';
import { isRecord } from './json.ts';

/** Docker's filters: per name the values given; several values of one name are alternatives, except labels. */
type FilterMap = ReadonlyMap<string, readonly string[]>;

/** Of the JSON text of a query, and of the values in it. */
const filterTextMax = 64 * 1024;
const filterValuesMax = 1000;

/**
 * Decodes the `filters` query parameter, in the form of API 1.22 (`{"label":{"a":true}}`) and the older one (`{"label":["a"]}`).
 * @throws invalidArgument
 */
export function decodeFilters(text: string): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  if (text === '') return filters;
  if (text.length > filterTextMax) throw new EngineError('invalidArgument', `invalid filters: longer than ${filterTextMax} bytes`);
  let decoded: unknown;
  try {
    decoded = JSON.parse(text);
  } catch (error) {
    throw new EngineError('invalidArgument', `invalid filters: ${error instanceof Error ? error.message : 'not JSON'}`);
  }
  if (!isRecord(decoded)) throw new EngineError('invalidArgument', 'invalid filters: want a JSON object');
  let count = 0;
  for (const [name, given] of Object.entries(decoded)) {
    const values = valuesOf(name, given);
    count += values.length;
    if (count > filterValuesMax) throw new EngineError('invalidArgument', `invalid filters: more than ${filterValuesMax} values`);
    filters.set(name, values);
  }
  return filters;
}

function valuesOf(name: string, given: unknown): string[] {
  if (Array.isArray(given)) {
    return given.map((value: unknown) => {
      if (typeof value !== 'string') throw new EngineError('invalidArgument', `invalid filter '${name.slice(0, 80)}': want strings`);
      return value;
    });
  }
  if (!isRecord(given)) throw new EngineError('invalidArgument', `invalid filter '${name.slice(0, 80)}': want a list of values`);
  return Object.entries(given).filter(([, wanted]) => wanted === true).map(([value]) => value);
}

/** @throws invalidArgument `invalid filter 'x'` for a name that is not among those accepted. */
export function checkFilters(filters: FilterMap, accepted: readonly string[]): void {
  for (const name of filters.keys()) {
    if (!accepted.includes(name)) throw new EngineError('invalidArgument', `invalid filter '${name.slice(0, 80)}'`);
  }
}

/** The value of a filter that is yes or no, undefined where it was not given. @throws invalidArgument */
export function booleanFilter(filters: FilterMap, name: string): boolean | undefined {
  const values = filters.get(name);
  if (values === undefined || values.length === 0) return undefined;
  const wrong = (): EngineError => new EngineError('invalidArgument', `invalid filter '${name}=[${values.join(' ').slice(0, 200)}]'`);
  const decided = new Set(values.map((value) => {
    if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
    if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
    throw wrong();
  }));
  const [only] = decided;
  if (decided.size !== 1) throw wrong();
  return only;
}

/** True where every `key` or `key=value` of the filter (`label` or another name) holds; true when it was not given. */
export function matchesLabels(filters: FilterMap, labels: Readonly<Record<string, string>>, name = 'label'): boolean {
  return (filters.get(name) ?? []).every((wanted) => hasLabel(labels, wanted));
}

/** True where none of the labels of the filter `label!` holds. */
export function lacksLabels(filters: FilterMap, labels: Readonly<Record<string, string>>): boolean {
  return !(filters.get('label!') ?? []).some((unwanted) => hasLabel(labels, unwanted));
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const cut = wanted.indexOf('=');
  const key = cut < 0 ? wanted : wanted.slice(0, cut);
  if (!Object.hasOwn(labels, key)) return false;
  return cut < 0 || labels[key] === wanted.slice(cut + 1);
}
