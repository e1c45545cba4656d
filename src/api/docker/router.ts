import type { Call } from './call.ts';
import { badRequest } from './errors.ts';
import { parseApiVersion, type ApiVersion } from './version.ts';

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

/** Answers a request, or throws an EngineError that the server answers. */
export type Handler = (call: Call) => Promise<void> | void;

export interface Route {
  readonly method: Method;
  readonly segments: readonly string[];
  /** The API version that brought it; older clients get 404. */
  readonly since: string;
  readonly handler: Handler;
}

/**
 * One row of the table. In the pattern `{x}` stands for one part of the path, `{x*}` for one or more (an image's name).
 */
export function route(method: Method, pattern: string, handler: Handler, since = '1.24'): Route {
  return { method, segments: pattern.split('/').slice(1), since, handler };
}

export interface Match {
  readonly route: Route;
  readonly parameters: Record<string, string>;
  readonly version: ApiVersion;
}

/** Finds routes by method and path; `/vX.Y` in front is optional. */
export class Router {
  /** By method and first part of the path. */
  readonly #routes = new Map<string, Route[]>();

  constructor(routes: readonly Route[]) {
    for (const each of routes) {
      const key = `${each.method} ${each.segments[0]}`;
      this.#routes.set(key, [...(this.#routes.get(key) ?? []), each]);
    }
  }

  /** Undefined: no such page. @throws invalidArgument for a version that is not served. */
  find(method: string, path: string): Match | undefined {
    const parts = path.split('/').slice(1);
    let version: ApiVersion | undefined;
    const [first = ''] = parts;
    if (/^v\d[\d.]*$/.test(first)) {
      version = parseApiVersion(first.slice(1));
      parts.shift();
    }
    version ??= parseApiVersion(undefined);
    for (const candidate of this.#routes.get(`${method} ${parts[0] ?? ''}`) ?? []) {
      const parameters = matchSegments(candidate.segments, parts);
      if (parameters !== undefined) return version.atLeast(candidate.since) ? { route: candidate, parameters, version } : undefined;
    }
    return undefined;
  }
}

function matchSegments(segments: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  const parameters: Record<string, string> = {};
  let at = 0;
  for (const [index, segment] of segments.entries()) {
    if (segment.startsWith('{')) {
      const isGreedy = segment.endsWith('*}');
      const taken = isGreedy ? parts.length - at - (segments.length - index - 1) : 1;
      if (taken < 1 || at + taken > parts.length) return undefined;
      const text = parts.slice(at, at + taken).join('/');
      if (text === '') return undefined;
      parameters[segment.slice(1, isGreedy ? -2 : -1)] = decode(text);
      at += taken;
    } else if (parts[at++] !== segment) {
      return undefined;
    }
  }
  return at === parts.length ? parameters : undefined;
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw badRequest(`malformed path: ${text.slice(0, 80)}`);
  }
}
