import { setTimeout as delay } from 'node:timers/promises';
import { EngineError, errnoOf, isEngineError, messageOf } from '../../base/index.ts';
import type { ImageOptions } from '../context.ts';
import type { Endpoint } from './endpoints.ts';
import { proxyFor, takeProxySettings } from './proxy.ts';
import { registryTls } from './tls.ts';
import type { RegistryTls } from './tls.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for every attempt. */
  readonly body?: () => Blob | Uint8Array<ArrayBuffer> | string;
  readonly signal: AbortSignal;
  /** Redirects are followed (GET and HEAD only). */
  readonly follow?: boolean;
  /** No repetition here: the caller has to find out first how far it came. */
  readonly once?: boolean;
  /** An Authorization header that may leave the registry's own origin: for the token server it named. */
  readonly foreignAuthorization?: string;
}

/** From request to response head, ms. */
const responseTimeoutMs = 60_000;
/** Uploads answer only after their body: as long as the whole operation may take, but not for ever. */
const uploadTimeoutMs = 30 * 60_000;
const redirectsMax = 10;
const attemptsMax = 5;
const retryAfterMaxMs = 30_000;
const userAgent = 'isulad/1.0';

/**
 * HTTP to one registry host and to where it redirects: TLS by certs.d, proxies, retry with back-off on 429, 5xx and
 * connections that break. Credentials go to the registry's own origin only.
 */
export class Transport {
  readonly #tls: RegistryTls;
  readonly #proxies = takeProxySettings();
  #base: URL | undefined;

  constructor(
    readonly endpoint: Endpoint,
    private readonly options: ImageOptions,
  ) {
    this.#tls = registryTls(endpoint.host, endpoint.insecure, options);
  }

  /** The root URL, found by asking `/v2/` over https and, where the registry is insecure, over http. @throws unavailable */
  async base(signal: AbortSignal): Promise<URL> {
    if (this.#base) return this.#base;
    let failure: unknown;
    for (const scheme of this.endpoint.schemes) {
      const url = new URL(`${scheme}://${this.endpoint.host}/`);
      if (this.endpoint.schemes.length === 1) return (this.#base = url);
      try {
        const response = await this.#once({ method: 'GET', url: new URL('v2/', url), signal }, url);
        await response.body?.cancel();
        return (this.#base = url);
      } catch (error) {
        signal.throwIfAborted();
        failure ??= error;
      }
    }
    throw failure;
  }

  /** One request, repeated while the failure may pass. @throws unavailable, timeout; gives any response that is no passing failure */
  async send(request: HttpRequest): Promise<Response> {
    const base = await this.base(request.signal);
    for (let attempt = 1; ; attempt++) {
      let waitMs = this.options.retryDelayMs * 2 ** (attempt - 1);
      try {
        const response = request.follow === true ? await this.#following(request, base) : await this.#once(request, base);
        if (!isPassing(response.status) || attempt >= attemptsMax || request.once === true) return response;
        waitMs = Math.min(retryAfterMaxMs, Math.max(waitMs, retryAfterMs(response)));
        await response.body?.cancel();
      } catch (error) {
        request.signal.throwIfAborted();
        if (attempt >= attemptsMax || request.once === true || !isEngineError(error, 'unavailable') || !isTransient(error.cause)) throw error;
      }
      await delay(waitMs, undefined, { signal: request.signal });
    }
  }

  /** The wait before repetition number `attempt`. */
  async pause(attempt: number, signal: AbortSignal): Promise<void> {
    await delay(Math.min(retryAfterMaxMs, this.options.retryDelayMs * 2 ** (attempt - 1)), undefined, { signal });
  }

  async #following(request: HttpRequest, base: URL): Promise<Response> {
    let { url } = request;
    for (let hops = 0; ; hops++) {
      const response = await this.#once({ ...request, url }, base);
      const location = response.headers.get('location');
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
      await response.body?.cancel();
      if (hops >= redirectsMax) throw new EngineError('unavailable', `Cannot reach ${url.host}: more than ${redirectsMax} redirects`);
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      if (!next || (next.protocol !== 'https:' && next.protocol !== 'http:')) {
        throw new EngineError('unavailable', `Cannot follow the redirect of ${url.host}: no http(s) URL`);
      }
      if (url.protocol === 'https:' && next.protocol === 'http:' && !this.endpoint.insecure) {
        throw new EngineError('unavailable', `Cannot follow the redirect of ${url.host}: it leads from https to http`);
      }
      url = next;
    }
  }

  async #once(request: HttpRequest, base: URL): Promise<Response> {
    const { url, signal } = request;
    signal.throwIfAborted();
    const own = url.origin === base.origin;
    const headers = new Headers({ 'user-agent': userAgent, ...request.headers });
    if (!own) headers.delete('authorization');
    if (request.foreignAuthorization) headers.set('authorization', request.foreignAuthorization);
    const limit = new AbortController();
    const limitMs = request.body ? uploadTimeoutMs : responseTimeoutMs;
    const timer = setTimeout(() => limit.abort(new EngineError('timeout', `Cannot reach ${url.host}: no answer in ${limitMs / 1000} s`)), limitMs);
    const proxy = proxyFor(url, this.#proxies);
    try {
      return await fetch(url.href, {
        method: request.method,
        headers,
        redirect: 'manual',
        decompress: false,
        signal: AbortSignal.any([signal, limit.signal]),
        tls: tlsInit(own ? this.#tls : foreignTls(this.#tls)),
        ...(request.body ? { body: request.body() } : {}),
        ...(proxy === undefined ? {} : { proxy }),
      });
    } catch (error) {
      signal.throwIfAborted();
      if (limit.signal.aborted) throw limit.signal.reason;
      throw connectionError(url, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** To other hosts neither the client certificate goes nor the trust in this host's own authorities' absence changes. */
function foreignTls(tls: RegistryTls): RegistryTls {
  return { rejectUnauthorized: tls.rejectUnauthorized, skipHostName: tls.skipHostName, ...(tls.ca ? { ca: tls.ca } : {}) };
}

function tlsInit(tls: RegistryTls): BunFetchRequestInitTLS {
  const { skipHostName, ...rest } = tls;
  return skipHostName ? { ...rest, checkServerIdentity: () => undefined } : rest;
}

function isPassing(status: number): boolean {
  return status === 429 || status === 408 || (status >= 500 && status !== 501 && status !== 505);
}

function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? '');
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}

/** Breaks that another attempt may not meet; refusals and certificates stay as they are. */
function isTransient(error: unknown): boolean {
  return ['ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'EAI_AGAIN', 'ConnectionClosed', 'UND_ERR_SOCKET'].includes(errnoOf(error) ?? '');
}

const certificateErrors: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate signed by unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate signed by unknown authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate signed by unknown authority (it signed itself)',
  CERT_HAS_EXPIRED: 'certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'certificate has expired or is not yet valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'certificate is not valid for this host name',
};

/** In docker's words, with what can be done about it. */
function connectionError(url: URL, error: unknown): EngineError {
  const code = errnoOf(error) ?? '';
  const at = `Get "${url.origin}${url.pathname}"`;
  const certificate = certificateErrors[code];
  const refuse = (why: string): EngineError => new EngineError('unavailable', `${at}: ${why}`, { cause: error });
  if (certificate !== undefined) {
    return refuse(`tls: failed to verify certificate: x509: ${certificate} (put the authority in certs.d/${url.host}/ca.crt)`);
  }
  if (code === 'ECONNREFUSED') return refuse(`dial tcp ${url.host}: connect: connection refused`);
  if (code === 'ENOTFOUND') return refuse(`dial tcp: lookup ${url.hostname}: no such host`);
  if (code === 'EPROTO') return refuse('http: server gave HTTP response to HTTPS client, or its TLS handshake failed');
  return refuse(messageOf(error).replace(/ For more information, pass `verbose.*$/, ''));
}
