import { EngineError, isRecord } from '../../base/index.ts';
import type { RegistryAuth } from '../types.ts';
import { parseChallenges } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { readBody } from './body.ts';
import type { Transport } from './transport.ts';

interface Token {
  readonly text: string;
  readonly expiresAt: number;
}

const tokenBytesMax = 1024 * 1024;
const tokenCacheMax = 100;
/** The distribution specification's default life of a token, and how long before its end it is not used any more. */
const defaultLifeS = 60;
const leewayMs = 5000;

/**
 * Proves who we are to one registry: Basic, or Bearer tokens (distribution specification, "Token Authentication") that are
 * kept per scope until they run out. The challenge is learnt from the first refusal.
 */
export class Authenticator {
  readonly #tokens = new Map<string, Token>();
  #challenge: Challenge | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly auth: RegistryAuth | undefined,
  ) {}

  /** The Authorization header for a request of a scope; empty: none is needed as far as is known. */
  async header(scopes: readonly string[], signal: AbortSignal): Promise<string> {
    if (this.auth?.registrytoken !== undefined && this.auth.registrytoken !== '') return `Bearer ${this.auth.registrytoken}`;
    if (this.#challenge?.scheme === 'bearer') return `Bearer ${await this.#token(this.#challenge, scopes, signal)}`;
    return this.#challenge?.scheme === 'basic' ? this.#basic() : '';
  }

  /** Learns from a 401. False: there is nothing more to offer. */
  learn(response: Response, scopes: readonly string[]): boolean {
    const challenges = parseChallenges(response.headers.get('www-authenticate') ?? '');
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    const basic = challenges.find(({ scheme }) => scheme === 'basic');
    const chosen = bearer ?? (this.#hasPassword() ? basic : undefined);
    if (!chosen) return false;
    const first = this.#challenge === undefined;
    this.#challenge = chosen;
    // A token may have been taken back, or be for less than is now asked.
    return chosen.scheme === 'bearer' ? this.#tokens.delete(scopeKey(scopes)) || first : first;
  }

  #hasPassword(): boolean {
    return this.auth?.username !== undefined && this.auth.username !== '';
  }

  #basic(): string {
    return `Basic ${Buffer.from(`${this.auth?.username ?? ''}:${this.auth?.password ?? ''}`).toString('base64')}`;
  }

  async #token(challenge: Challenge, scopes: readonly string[], signal: AbortSignal): Promise<string> {
    const key = scopeKey(scopes);
    const known = this.#tokens.get(key);
    if (known && known.expiresAt > Date.now() + leewayMs) return known.text;
    const token = await this.#fetchToken(challenge, scopes, signal);
    if (this.#tokens.size >= tokenCacheMax) this.#tokens.clear();
    this.#tokens.set(key, token);
    return token.text;
  }

  async #fetchToken(challenge: Challenge, scopes: readonly string[], signal: AbortSignal): Promise<Token> {
    const { url, service } = await this.#realm(challenge, signal);
    const refresh = this.auth?.identitytoken ?? '';
    let response: Response;
    if (refresh !== '') {
      const scope = scopes.join(' ');
      const form = new URLSearchParams({ grant_type: 'refresh_token', service, client_id: 'isulad', refresh_token: refresh, scope });
      response = await this.transport.send({
        method: 'POST', url, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: () => form.toString(), signal,
      });
    } else {
      if (service !== '') url.searchParams.set('service', service);
      for (const scope of scopes) url.searchParams.append('scope', scope);
      if (this.#hasPassword()) url.searchParams.set('account', this.auth?.username ?? '');
      response = await this.transport.send({ method: 'GET', url, signal, foreignAuthorization: this.#hasPassword() ? this.#basic() : '' });
    }
    return readToken(response, url.host, signal);
  }

  /** Where tokens are given out. A registry over https may not send our password anywhere in the clear. */
  async #realm(challenge: Challenge, signal: AbortSignal): Promise<{ url: URL; service: string }> {
    const realm = challenge.parameters.get('realm') ?? '';
    const base = await this.transport.base(signal);
    if (!URL.canParse(realm)) throw new EngineError('unavailable', `Cannot get a token for ${base.host}: its challenge names no realm`);
    const url = new URL(realm);
    if (url.protocol !== 'https:' && (url.protocol !== 'http:' || (base.protocol === 'https:' && !this.transport.endpoint.insecure))) {
      throw new EngineError('unavailable', `Cannot get a token for ${base.host}: its token server is not asked over https`);
    }
    return { url, service: challenge.parameters.get('service') ?? '' };
  }

  /** A token that is only to say whether the credentials are good; gives the refresh token where the server has one. */
  async identityToken(signal: AbortSignal): Promise<string> {
    const challenge = this.#challenge;
    if (challenge?.scheme !== 'bearer') return '';
    const { url, service } = await this.#realm(challenge, signal);
    if (service !== '') url.searchParams.set('service', service);
    url.searchParams.set('offline_token', 'true');
    url.searchParams.set('account', this.auth?.username ?? '');
    url.searchParams.set('client_id', 'isulad');
    const response = await this.transport.send({ method: 'GET', url, signal, foreignAuthorization: this.#basic() });
    const { text, refresh, expiresAt } = await readToken(response, url.host, signal);
    this.#tokens.set(scopeKey([]), { text, expiresAt });
    return refresh;
  }
}

function scopeKey(scopes: readonly string[]): string {
  return scopes.join(' ');
}

async function readToken(response: Response, host: string, signal: AbortSignal): Promise<Token & { refresh: string }> {
  if (response.status === 401 || response.status === 403) {
    await response.body?.cancel();
    throw new EngineError('unauthorized', 'unauthorized: incorrect username or password');
  }
  const bytes = await readBody(response, tokenBytesMax, `the token of ${host}`, signal);
  if (response.status !== 200) throw new EngineError('unavailable', `Cannot get a token from ${host}: status ${response.status}`);
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    document = undefined;
  }
  if (!isRecord(document)) throw new EngineError('unavailable', `Cannot get a token from ${host}: its answer is not JSON`);
  const { token, access_token: accessToken, expires_in: expiresIn, refresh_token: refresh } = document;
  const text = typeof token === 'string' && token !== '' ? token : accessToken;
  if (typeof text !== 'string' || text === '') throw new EngineError('unavailable', `Cannot get a token from ${host}: its answer has none`);
  const lifeS = typeof expiresIn === 'number' && expiresIn > 0 ? Math.max(expiresIn, defaultLifeS) : defaultLifeS;
  return { text, expiresAt: Date.now() + lifeS * 1000, refresh: typeof refresh === 'string' ? refresh : '' };
}
