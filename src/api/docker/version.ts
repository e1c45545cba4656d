import { badRequest } from './errors.ts';

/** Versions of the Docker Engine API that are served. */
export const minApiVersion = '1.24';
export const maxApiVersion = '1.51';

/** A version that a client asked for, comparable. */
export class ApiVersion {
  constructor(readonly text: string, private readonly minor: number) {}

  /** True for this version and later ones; `text` is `1.N`. */
  atLeast(text: string): boolean {
    return this.minor >= minorOf(text);
  }
}

function minorOf(text: string): number {
  return Number(text.slice(text.indexOf('.') + 1));
}

const newest = new ApiVersion(maxApiVersion, minorOf(maxApiVersion));

/** The version of a path's `/vX.Y` prefix; without one the newest. @throws invalidArgument, in docker's words. */
export function parseApiVersion(text: string | undefined): ApiVersion {
  if (text === undefined || text === maxApiVersion) return newest;
  const match = /^(\d{1,4})\.(\d{1,4})$/.exec(text);
  if (match === null) throw badRequest(`invalid API version: ${text.slice(0, 40)}`);
  const major = Number(match[1]);
  const minor = Number(match[2]);
  if (major < 1 || (major === 1 && minor < minorOf(minApiVersion))) {
    const remedy = 'please upgrade your client to a newer version';
    throw badRequest(`client version ${text} is too old. Minimum supported API version is ${minApiVersion}, ${remedy}`);
  }
  if (major > 1 || minor > minorOf(maxApiVersion)) {
    throw badRequest(`client version ${text} is too new. Maximum supported API version is ${maxApiVersion}`);
  }
  return new ApiVersion(text, minor);
}
