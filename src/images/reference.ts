import { EngineError, isDigest } from '../base/index.ts';
import type { Digest } from '../base/index.ts';

/**
 * Image names, by the grammar of the distribution project's reference package:
 *
 *   reference = name [ ":" tag ] [ "@" digest ]      name = [ domain "/" ] path-component *( "/" path-component )
 *   domain = host *( "." host ) [ ":" port ]         path-component = [a-z0-9]+ *( ( "." | "_" | "__" | "-"+ ) [a-z0-9]+ )
 *
 * A name of one part has the default host put before it, and on Docker's own host `library/` as well. The stored form always
 * has the domain (canonical); the shown form leaves out what the default adds (familiar).
 */
export interface ImageReference {
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

export const dockerHost = 'docker.io';
const officialPrefix = 'library/';
/** Limit on `domain/path` (distribution: RepositoryNameTotalLengthMax). */
const nameLengthMax = 255;
/** Limit on a whole reference: name, tag of 128 and digest, with room. */
const referenceLengthMax = 512;
const defaultTag = 'latest';

const domainPattern =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const componentPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const bareIdPattern = /^[a-f0-9]{64}$/;

function invalid(why: string): EngineError {
  return new EngineError('invalidArgument', `invalid reference format${why === '' ? '' : `: ${why}`}`);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** True for a name without surprises: every part matches the grammar of a tag. */
export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/**
 * Parses what a user typed. The tag stays undefined where none was given (see `withDefaultTag`).
 * @throws invalidArgument `invalid reference format…`, saying which part is wrong.
 */
export function parseReference(text: string, defaultHost: string = dockerHost): ImageReference {
  if (text === '') throw invalid('the reference is empty');
  if (text.length > referenceLengthMax) throw invalid(`the reference has ${text.length} characters, at most ${referenceLengthMax} are allowed`);
  if (bareIdPattern.test(text)) {
    throw new EngineError('invalidArgument', `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const at = text.indexOf('@');
  const digestText = at < 0 ? undefined : text.slice(at + 1);
  let rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  let tag: string | undefined;
  if (colon > rest.lastIndexOf('/') && !rest.endsWith(']')) {
    tag = rest.slice(colon + 1);
    rest = rest.slice(0, colon);
    if (!isTag(tag)) throw invalid(`tag ${shown(tag)} is not 1 to 128 letters, digits, "_", "." or "-" beginning with no "." or "-"`);
  }
  const { domain, path } = splitName(rest, defaultHost);
  checkPath(domain, path);
  return { domain, path, tag, digest: digestText === undefined ? undefined : checkedDigest(digestText) };
}

/** A name that may carry neither tag nor digest (the `repo` of a tag request). */
export function parseRepository(text: string, defaultHost: string = dockerHost): ImageReference {
  const reference = parseReference(text, defaultHost);
  if (reference.tag !== undefined || reference.digest !== undefined) throw invalid(`${shown(text)} names more than a repository`);
  return reference;
}

function splitName(name: string, defaultHost: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isDomain = slash >= 0 && (/[.:[]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  let domain = isDomain ? first : defaultHost;
  let path = isDomain ? name.slice(slash + 1) : name;
  if (domain === 'index.docker.io') domain = dockerHost;
  if (domain === dockerHost && path !== '' && !path.includes('/')) path = officialPrefix + path;
  return { domain, path };
}

function checkPath(domain: string, path: string): void {
  if (!domainPattern.test(domain)) throw invalid(`registry host ${shown(domain)} is not a host name with an optional port`);
  if (path === '') throw invalid('the repository name is empty');
  if (path.toLowerCase() !== path) throw invalid('repository name must be lowercase');
  for (const component of path.split('/')) {
    if (!componentPattern.test(component)) {
      throw invalid(component === '' ? 'the repository name has an empty part' : `repository part ${shown(component)}`);
    }
  }
  if (domain.length + 1 + path.length > nameLengthMax) throw invalid(`repository name must not be more than ${nameLengthMax} characters`);
}

function checkedDigest(text: string): Digest {
  if (isDigest(text)) return text;
  if (!digestPattern.test(text)) throw invalid(`digest ${shown(text)} is not an algorithm, a colon and hexadecimal digits`);
  if (text.startsWith('sha256:')) throw invalid(`digest ${shown(text)} has not the 64 lower-case hexadecimal digits of sha256`);
  throw new EngineError('unsupported', `unsupported digest algorithm: ${shown(text.slice(0, text.indexOf(':')))}; only sha256 is known here`);
}

/** Adds `:latest` where neither tag nor digest was given. */
export function withDefaultTag(reference: ImageReference): ImageReference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: defaultTag } : reference;
}

/** `domain/path`. */
export function canonicalName(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The name as users see it, without what the default host adds. */
export function familiarName(reference: ImageReference, defaultHost: string = dockerHost): string {
  if (reference.domain !== defaultHost) return canonicalName(reference);
  const bare = reference.path.startsWith(officialPrefix) ? reference.path.slice(officialPrefix.length) : '';
  if (reference.domain === dockerHost && bare !== '' && !bare.includes('/')) return bare;
  // A first part that would be read as a host must keep its host.
  const first = reference.path.includes('/') ? reference.path.slice(0, reference.path.indexOf('/')) : '';
  return /[.:]/.test(first) || first === 'localhost' ? canonicalName(reference) : reference.path;
}

function suffix(reference: ImageReference): string {
  return (reference.tag === undefined ? '' : `:${reference.tag}`) + (reference.digest === undefined ? '' : `@${reference.digest}`);
}

/** The stored form: `docker.io/library/busybox:latest`. */
export function canonicalString(reference: ImageReference): string {
  return canonicalName(reference) + suffix(reference);
}

/** The shown form: `busybox:latest`. */
export function familiarString(reference: ImageReference, defaultHost: string = dockerHost): string {
  return familiarName(reference, defaultHost) + suffix(reference);
}
