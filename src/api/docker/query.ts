import { decodeFilters } from '../../base/index.ts';
import { badRequest } from './errors.ts';

/** Parameters of one request. */
const parametersMax = 4096;

/** The query parameters of a request, decoded as docker does it. */
export class Query {
  readonly #parameters: URLSearchParams;

  /** @throws invalidArgument for more parameters than any request needs. */
  constructor(text: string) {
    this.#parameters = new URLSearchParams(text);
    if (text.length > parametersMax && this.#parameters.size > parametersMax) {
      throw badRequest(`too many query parameters: at most ${parametersMax} are allowed`);
    }
  }

  has(name: string): boolean {
    return this.#parameters.has(name);
  }

  /** Empty where it is absent. */
  string(name: string): string {
    return this.#parameters.get(name) ?? '';
  }

  strings(name: string): string[] {
    return this.#parameters.getAll(name);
  }

  /** Docker's rule (httputils.BoolValue): everything is true but the empty word, 0, no, false and none. */
  boolean(name: string, fallback = false): boolean {
    const given = this.#parameters.get(name);
    if (given === null) return fallback;
    return !['', '0', 'no', 'false', 'none'].includes(given.trim().toLowerCase());
  }

  /** Undefined where it is absent or empty. @throws invalidArgument */
  integer(name: string): number | undefined {
    const given = this.string(name);
    if (given === '') return undefined;
    const value = Number(given);
    if (/^[+-]?\d+$/.test(given) && Number.isSafeInteger(value)) return value;
    throw badRequest(`invalid value "${given.slice(0, 80)}" for ${name}: want an integer`);
  }

  /**
   * Seconds since the epoch with a fraction of up to nine digits (docker's timestamps); gives milliseconds.
   * Absent, empty and 0 give undefined. @throws invalidArgument
   */
  timestamp(name: string): number | undefined {
    const given = this.string(name);
    if (given === '' || given === '0') return undefined;
    if (/^-?\d{1,11}(?:\.\d{1,9})?$/.test(given)) return Number(given) * 1000;
    throw badRequest(`invalid value "${given.slice(0, 80)}" for ${name}: want seconds[.nanoseconds] since the epoch`);
  }

  /** @throws invalidArgument */
  filters(): Map<string, string[]> {
    return decodeFilters(this.string('filters'));
  }
}
