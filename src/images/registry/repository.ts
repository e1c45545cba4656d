import { EngineError, isDigest, isRecord, shortId } from '../../base/index.ts';
import type { Digest } from '../../base/index.ts';
import { digestOf } from '../chain.ts';
import { isStringList } from '../json.ts';
import { documentBytesMax } from '../limits.ts';
import { mediaTypes } from '../media-types.ts';
import { Authenticator } from './authenticator.ts';
import { readBody } from './body.ts';
import { registryError } from './registry-error.ts';
import type { HttpRequest, Transport } from './transport.ts';

const acceptedManifests = [
  mediaTypes.ociIndex, mediaTypes.ociManifest, mediaTypes.dockerList, mediaTypes.dockerManifest,
  mediaTypes.dockerSchema1Signed, mediaTypes.dockerSchema1,
].join(', ');

const tagsMax = 10_000;
const pagesMax = 200;
/** What one upload request carries. */
const uploadChunkBytes = 32 * 1024 * 1024;

export interface FetchedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** A file, or bytes at hand; a piece of it is read when it is sent. */
export interface UploadSource {
  readonly size: number;
  slice(begin: number, end: number): Blob;
}

export type ManifestReference = { readonly tag: string } | { readonly digest: Digest };

/** One repository of one registry: the verbs of the distribution specification 1.1. */
export class Repository {
  constructor(
    readonly transport: Transport,
    private readonly authenticator: Authenticator,
    /** The path within the registry. */
    readonly path: string,
    private readonly rights: 'pull' | 'pull,push',
  ) {}

  async #send(request: Omit<HttpRequest, 'url'> & { path: string | URL; mountFrom?: string }): Promise<Response> {
    const { path, mountFrom, ...rest } = request;
    const url = typeof path === 'string' ? new URL(`v2/${this.path}/${path}`, await this.transport.base(request.signal)) : path;
    const scopes = [`repository:${this.path}:${this.rights}`, ...(mountFrom === undefined ? [] : [`repository:${mountFrom}:pull`])];
    return sendAuthorized(this.transport, this.authenticator, { ...rest, url }, scopes);
  }

  /** The digest and type that a tag or digest has, undefined when the registry does not say. @throws notFound */
  async headManifest(reference: ManifestReference, signal: AbortSignal): Promise<{ digest: Digest; mediaType: string; size: number } | undefined> {
    const headers = { accept: acceptedManifests };
    const response = await this.#send({ method: 'HEAD', path: manifestPath(reference), headers, signal, follow: true });
    await response.body?.cancel();
    const digest = response.headers.get('docker-content-digest') ?? '';
    if (response.status !== 200 || !isDigest(digest)) return undefined;
    return { digest, mediaType: contentType(response), size: Number(response.headers.get('content-length') ?? 0) };
  }

  /** @throws notFound, unauthorized, forbidden; invalidArgument when the content is not what was asked for */
  async getManifest(reference: ManifestReference, signal: AbortSignal): Promise<FetchedManifest> {
    const response = await this.#send({ method: 'GET', path: manifestPath(reference), headers: { accept: acceptedManifests }, signal, follow: true });
    if (response.status !== 200) throw await registryError(response, this.#refusal(response.status, reference), signal);
    const mediaType = contentType(response);
    if (mediaType.includes('html')) {
      await response.body?.cancel();
      throw new EngineError(
        'unavailable',
        `Cannot read the manifest of ${this.#name(reference)}: ${this.transport.endpoint.host} answered with a web page: is it a registry?`,
      );
    }
    const bytes = await readBody(response, documentBytesMax, `the manifest of ${this.#name(reference)}`, signal);
    const digest = digestOf(bytes);
    const expected = 'digest' in reference ? reference.digest : response.headers.get('docker-content-digest');
    // Docker's signed schema 1 is not hashed as it travels; it is refused later for what it is.
    if (expected !== null && expected.startsWith('sha256:') && expected !== digest && mediaType !== mediaTypes.dockerSchema1Signed) {
      throw new EngineError(
        'invalidArgument',
        `Cannot use the manifest of ${this.#name(reference)}: its content hashes to ${digest}, not to ${expected}`,
      );
    }
    return { digest, mediaType, bytes };
  }

  #refusal(status: number, reference: ManifestReference): string {
    if (status === 404) return `manifest for ${this.#name(reference)} not found`;
    if (status !== 401 && status !== 403) return `Cannot get the manifest of ${this.#name(reference)}`;
    return `pull access denied for ${this.transport.endpoint.host}/${this.path}, repository does not exist or may require 'isula login'`;
  }

  #name(reference: ManifestReference): string {
    const name = `${this.transport.endpoint.host}/${this.path}`;
    return 'digest' in reference ? `${name}@${reference.digest}` : `${name}:${reference.tag}`;
  }

  /** A blob's body from `offset` on. `partial`: the registry began at the offset, else it gives the whole. */
  async openBlob(digest: Digest, offset: number, signal: AbortSignal): Promise<{ response: Response; partial: boolean }> {
    const headers = offset > 0 ? { range: `bytes=${offset}-` } : undefined;
    const response = await this.#send({ method: 'GET', path: `blobs/${digest}`, ...(headers ? { headers } : {}), signal, follow: true });
    if (response.status === 206 && (response.headers.get('content-range') ?? '').startsWith(`bytes ${offset}-`)) return { response, partial: true };
    if (response.status === 200) return { response, partial: false };
    if (response.status === 416 || response.status === 206) {
      await response.body?.cancel();
      return this.openBlob(digest, 0, signal);
    }
    throw await registryError(response, `Cannot fetch blob ${shortId(digest)}`, signal);
  }

  /** A small blob (a configuration), verified. */
  async getDocument(digest: Digest, size: number, signal: AbortSignal): Promise<Uint8Array> {
    const what = `blob ${shortId(digest)}`;
    if (size > documentBytesMax) {
      throw new EngineError('tooLarge', `Cannot fetch ${what}: it is said to have ${size} bytes, at most ${documentBytesMax} are allowed`);
    }
    const { response } = await this.openBlob(digest, 0, signal);
    const bytes = await readBody(response, size, what, signal);
    if (digestOf(bytes) !== digest) throw new EngineError('invalidArgument', `Cannot use ${what}: its content hashes to ${digestOf(bytes)}`);
    return bytes;
  }

  async hasBlob(digest: Digest, signal: AbortSignal): Promise<boolean> {
    const response = await this.#send({ method: 'HEAD', path: `blobs/${digest}`, signal, follow: true });
    await response.body?.cancel();
    if (response.status === 401 || response.status === 403) throw await registryError(response, `Cannot push to ${this.path}`, signal);
    return response.status === 200;
  }

  /** Asks the registry to take a blob over from another of its repositories. Undefined: it did; else where to upload. */
  async mount(digest: Digest, from: string, signal: AbortSignal): Promise<URL | undefined> {
    return this.#begin(`blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`, signal, from);
  }

  async beginUpload(signal: AbortSignal): Promise<URL> {
    const location = await this.#begin('blobs/uploads/', signal, undefined);
    if (!location) throw new EngineError('unavailable', `Cannot push to ${this.path}: the registry gave no place to upload to`);
    return location;
  }

  async #begin(path: string, signal: AbortSignal, mountFrom: string | undefined): Promise<URL | undefined> {
    const response = await this.#send({ method: 'POST', path, body: () => '', signal, ...(mountFrom === undefined ? {} : { mountFrom }) });
    if (response.status === 201 && mountFrom !== undefined) {
      await response.body?.cancel();
      return undefined;
    }
    if (response.status !== 202) throw await registryError(response, `Cannot push to ${this.transport.endpoint.host}/${this.path}`, signal);
    await response.body?.cancel();
    return uploadLocation(response);
  }

  /**
   * Uploads a file in pieces; after a break it goes on where the registry says it is, or begins anew.
   * @param begun where to upload to
   */
  async upload(begun: URL, file: UploadSource, digest: Digest, onProgress: (sent: number) => void, signal: AbortSignal): Promise<void> {
    let location = begun;
    let sent = 0;
    for (let breaks = 0; sent < file.size;) {
      const end = Math.min(file.size, sent + uploadChunkBytes);
      const piece = file.slice(sent, end);
      const headers = { 'content-type': 'application/octet-stream', 'content-range': `${sent}-${end - 1}`, 'content-length': String(end - sent) };
      try {
        const response = await this.#send({ method: 'PATCH', path: location, headers, body: () => piece, signal, once: true });
        if (response.status === 202) {
          await response.body?.cancel();
          location = uploadLocation(response);
          sent = end;
          breaks = 0;
          onProgress(sent);
          continue;
        }
        if (response.status !== 416 && response.status < 500 && response.status !== 429) {
          throw await registryError(response, `Cannot push blob ${shortId(digest)}`, signal);
        }
        await response.body?.cancel();
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof EngineError) || error.code !== 'unavailable') throw error;
      }
      if (++breaks > uploadBreaksMax) throw new EngineError('unavailable', `Cannot push blob ${shortId(digest)}: the upload broke ${breaks} times`);
      await this.transport.pause(breaks, signal);
      const state = await this.#uploadState(location, signal);
      location = state?.location ?? await this.beginUpload(signal);
      sent = state?.received ?? 0;
    }
    location.searchParams.set('digest', digest);
    const response = await this.#send({ method: 'PUT', path: location, headers: { 'content-length': '0' }, body: () => '', signal });
    if (response.status !== 201) throw await registryError(response, `Cannot push blob ${shortId(digest)}`, signal);
    await response.body?.cancel();
  }

  /** How far an upload came; undefined: the registry will not go on with it (docker-registry after a break within a piece). */
  async #uploadState(location: URL, signal: AbortSignal): Promise<{ location: URL; received: number } | undefined> {
    const response = await this.#send({ method: 'GET', path: location, signal });
    if (response.status === 404 || response.status === 416 || response.status === 400) {
      await response.body?.cancel();
      return undefined;
    }
    if (response.status !== 204) throw await registryError(response, 'Cannot go on with the upload', signal);
    await response.body?.cancel();
    const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.get('range') ?? '') ?? [];
    // "0-0" is what registries say both of nothing and of one byte; uploading the byte again would be refused, nothing is what is meant.
    const received = last === undefined || last === '0' ? 0 : Number(last) + 1;
    return { location: response.headers.has('location') ? uploadLocation(response) : location, received };
  }

  async putManifest(reference: ManifestReference, mediaType: string, bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<Digest> {
    const headers = { 'content-type': mediaType };
    const response = await this.#send({ method: 'PUT', path: manifestPath(reference), headers, body: () => bytes, signal });
    if (response.status !== 201) throw await registryError(response, `Cannot push the manifest of ${this.#name(reference)}`, signal);
    await response.body?.cancel();
    const digest = digestOf(bytes);
    const told = response.headers.get('docker-content-digest');
    if (told !== null && told !== digest) {
      throw new EngineError('unavailable', `Cannot push ${this.#name(reference)}: the registry stored the manifest as ${told}, not as ${digest}`);
    }
    return digest;
  }

  /** All tags, by pages. @throws notFound */
  async tags(signal: AbortSignal): Promise<string[]> {
    const tags: string[] = [];
    let next: URL | undefined;
    for (let page = 0; page < pagesMax; page++) {
      const response = await this.#send({ method: 'GET', path: next ?? 'tags/list?n=1000', signal, follow: true });
      if (response.status !== 200) {
        throw await registryError(response, `Cannot list the tags of ${this.transport.endpoint.host}/${this.path}`, signal);
      }
      tags.push(...namedList(await readBody(response, documentBytesMax, 'the list of tags', signal), 'tags'));
      if (tags.length > tagsMax) throw new EngineError('tooLarge', `Cannot list the tags of ${this.path}: more than ${tagsMax}`);
      next = nextPage(response);
      if (!next) return tags;
    }
    return tags;
  }
}

const uploadBreaksMax = 5;

/** A request with what proves who we are; a first refusal teaches how. */
export async function sendAuthorized(
  transport: Transport,
  authenticator: Authenticator,
  request: HttpRequest,
  scopes: readonly string[],
): Promise<Response> {
  for (let round = 0; ; round++) {
    const authorization = await authenticator.header(scopes, request.signal);
    const headers = { ...request.headers, ...(authorization === '' ? {} : { authorization }) };
    const response = await transport.send({ ...request, headers });
    if (response.status !== 401 || round >= 2 || !authenticator.learn(response, scopes)) return response;
    await response.body?.cancel();
  }
}

function manifestPath(reference: ManifestReference): string {
  return `manifests/${'digest' in reference ? reference.digest : reference.tag}`;
}

function contentType(response: Response): string {
  return (response.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function uploadLocation(response: Response): URL {
  const location = response.headers.get('location') ?? '';
  if (location === '' || !URL.canParse(location, response.url)) {
    throw new EngineError('unavailable', 'Cannot push: the registry gave no place to upload to');
  }
  return new URL(location, response.url);
}

/** The strings under `key` of a JSON document. */
export function namedList(bytes: Uint8Array, key: string): string[] {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    document = undefined;
  }
  const list = isRecord(document) ? (document[key] ?? []) : undefined;
  if (!isStringList(list)) throw new EngineError('unavailable', `Cannot read the registry's answer: "${key}" is not a list of strings`);
  return list;
}

/** The next page (RFC 8288), on the same origin only. */
export function nextPage(response: Response): URL | undefined {
  const [, target] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.headers.get('link') ?? '') ?? [];
  if (target === undefined || !URL.canParse(target, response.url)) return undefined;
  const url = new URL(target, response.url);
  return url.origin === new URL(response.url).origin ? url : undefined;
}
