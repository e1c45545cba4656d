import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, ensureDir, isRecord, writeFileDurably } from '../../base/index.ts';
import type { Logger } from '../../base/index.ts';
import type { RegistryAuth } from '../types.ts';

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const serversMax = 1000;
const fieldLengthMax = 16 * 1024;

/**
 * What `login` keeps: `<graph>/auths/credentials.json`, per server its credentials sealed with AES-256-GCM (nonce, tag, text;
 * base64; the server's name is authenticated with them), and `<graph>/auths/aeskey`, mode 0600 (guide 4.3.6). Removing the key
 * file makes everything stored unreadable: the next login makes a new one.
 */
export class CredentialStore {
  readonly #dir: string;

  constructor(
    graphRoot: string,
    private readonly logger: Logger,
  ) {
    this.#dir = join(graphRoot, 'auths');
  }

  get(server: string): RegistryAuth | undefined {
    const sealed = this.#read().get(server);
    const key = this.#key();
    if (sealed === undefined || key === undefined) return undefined;
    try {
      return unseal(sealed, key, server);
    } catch {
      this.logger.warn(`The stored credentials of ${server} cannot be read with the key in ${this.#dir}: log in again`);
      return undefined;
    }
  }

  set(server: string, auth: RegistryAuth): void {
    ensureDir(this.#dir);
    let key = this.#key();
    if (key === undefined) {
      key = randomBytes(keyBytes);
      writeFileDurably(join(this.#dir, 'aeskey'), key, 0o600);
    }
    const all = this.#read();
    if (!all.has(server) && all.size >= serversMax) {
      throw new EngineError('resourceExhausted', `Cannot store credentials: there are ${serversMax} servers already`);
    }
    all.set(server, seal(auth, key, server));
    this.#write(all);
  }

  /** False: there was nothing. */
  remove(server: string): boolean {
    const all = this.#read();
    if (!all.delete(server)) return false;
    this.#write(all);
    return true;
  }

  #key(): Uint8Array | undefined {
    const path = join(this.#dir, 'aeskey');
    if (!existsSync(path)) return undefined;
    const key = readFileSync(path);
    return key.length === keyBytes ? key : undefined;
  }

  #read(): Map<string, string> {
    const path = join(this.#dir, 'credentials.json');
    if (!existsSync(path)) return new Map();
    try {
      const document: unknown = JSON.parse(readFileSync(path, 'utf8'));
      if (isRecord(document)) {
        return new Map(Object.entries(document).flatMap(([server, text]) => (typeof text === 'string' ? [[server, text]] : [])));
      }
    } catch {
      // Said below.
    }
    this.logger.warn(`${path} is not readable as JSON; the credentials in it are ignored`);
    return new Map();
  }

  #write(all: ReadonlyMap<string, string>): void {
    writeFileDurably(join(this.#dir, 'credentials.json'), JSON.stringify(Object.fromEntries(all)), 0o600);
  }
}

function seal(auth: RegistryAuth, key: Uint8Array, server: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(server));
  const text = Buffer.concat([cipher.update(JSON.stringify(auth), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
}

function unseal(sealed: string, key: Uint8Array, server: string): RegistryAuth {
  const bytes = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes)).setAAD(Buffer.from(server));
  decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
  const text = Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]).toString('utf8');
  const document: unknown = JSON.parse(text);
  const auth: RegistryAuth = {};
  if (!isRecord(document)) return auth;
  for (const name of ['username', 'password', 'identitytoken', 'serveraddress'] as const) {
    const value = document[name];
    if (typeof value === 'string' && value.length <= fieldLengthMax) auth[name] = value;
  }
  return auth;
}

/** The host that a server address means: no scheme, no path; Docker's old index address is docker.io. */
export function serverHost(address: string, defaultHost: string): string {
  const host = address.trim().replace(/^https?:\/\//i, '').replace(/\/.*$/, '');
  if (host === '') return defaultHost;
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}
