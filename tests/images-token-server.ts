import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './images-registry-kit.ts';

interface TokenRequest {
  method: string;
  scope: string;
  account: string;
}

/** A token server for docker-registry: `me` may do everything, `reader` may pull; both by the password `right`. */
export class TokenServer implements AsyncDisposable {
  readonly requests: TokenRequest[] = [];
  readonly settings: { realm: string; service: string; issuer: string; bundle: string };
  readonly #server: ReturnType<typeof Bun.serve>;

  private constructor(
    private readonly key: string,
    bundle: string,
  ) {
    this.#server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: (request) => this.#answer(request) });
    this.settings = { realm: `http://127.0.0.1:${this.#server.port}/token`, service: 'test-registry', issuer: 'test-issuer', bundle };
  }

  static async start(parent: string): Promise<TokenServer> {
    const dir = mkdtempSync(join(parent, 'tokens-'));
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
    await run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=test-issuer']);
    return new TokenServer(readFileSync(key, 'utf8'), cert);
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const form = request.method === 'POST' ? new URLSearchParams(await request.text()) : url.searchParams;
    const user = request.method === 'POST' ? (form.get('refresh_token') ?? '').replace(/^refresh-/, '') : userOf(request);
    const scopes = request.method === 'POST' ? (form.get('scope') ?? '').split(' ') : form.getAll('scope');
    this.requests.push({ method: request.method, scope: scopes.join(' '), account: form.get('account') ?? '' });
    if (user === undefined) return new Response('{}', { status: 401 });
    const access = scopes.filter((scope) => scope !== '').map((scope) => {
      const [type = '', name = '', actions = ''] = scope.split(':');
      return { type, name, actions: actions.split(',').filter((action) => user === 'me' || action === 'pull') };
    });
    const token = this.#token(user, access);
    const refresh = form.get('offline_token') === 'true' ? { refresh_token: `refresh-${user}` } : {};
    return Response.json({ token, access_token: token, expires_in: 300, ...refresh });
  }

  #token(subject: string, access: unknown): string {
    const now = Math.floor(Date.now() / 1000);
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { iss: 'test-issuer', sub: subject, aud: 'test-registry', exp: now + 300, nbf: now - 10, iat: now, jti: randomUUID(), access };
    const text = `${encode({ typ: 'JWT', alg: 'RS256', kid: keyId(this.key) })}.${encode(claims)}`;
    return `${text}.${sign('sha256', Buffer.from(text), createPrivateKey(this.key)).toString('base64url')}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}

function userOf(request: Request): string | undefined {
  const header = request.headers.get('authorization');
  if (header === null) return 'anonymous';
  const [user = '', password] = Buffer.from(header.replace(/^Basic /, ''), 'base64').toString().split(':');
  return password === 'right' ? user : undefined;
}

/** libtrust's key id: base32 of the first 30 bytes of the hash of the public key, in groups of four. */
function keyId(privateKey: string): string {
  const der = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  let bits = '';
  for (const byte of createHash('sha256').update(der).digest().subarray(0, 30)) bits += byte.toString(2).padStart(8, '0');
  const text = (bits.match(/.{5}/g) ?? []).map((five) => alphabet.charAt(Number.parseInt(five, 2))).join('');
  return (text.match(/.{4}/g) ?? []).join(':');
}
