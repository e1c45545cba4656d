import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { EngineError, messageOf } from '../../base/index.ts';
import type { ImageOptions } from '../context.ts';

/** What fetch is given for TLS. */
export interface RegistryTls {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly skipHostName: boolean;
}

const systemBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem'];
const fileBytesMax = 4 * 1024 * 1024;

/** The authorities this host trusts, as one PEM text; undefined: Bun's own list is used. */
function systemAuthorities(): string | undefined {
  const path = systemBundles.find((candidate) => existsSync(candidate));
  return path === undefined ? undefined : readFileSync(path, 'utf8');
}

/**
 * Reads `<certs.d>/<host[:port]>/` by docker's rules: every `*.crt` is an authority trusted for this host; `x.cert` and `x.key`
 * are a client certificate and its key (guide 1.3.6.1.8). With `use-decrypted-key` false the key is an encrypted PEM whose
 * passphrase is the content of `x.pass` beside it.
 * @throws invalidArgument when a certificate has no key or the other way round, or a file cannot be read
 */
export function registryTls(host: string, insecure: boolean, options: ImageOptions): RegistryTls {
  const base = { rejectUnauthorized: !insecure, skipHostName: options.insecureSkipVerify };
  const directory = options.certsDirs.map((dir) => join(dir, host)).find((dir) => existsSync(dir));
  const authorities: string[] = [];
  let pair: { cert: string; key: string; passphrase?: string } | undefined;
  if (directory !== undefined && host !== '' && !host.includes('..')) {
    const names = readdirSync(directory);
    for (const name of names.toSorted()) {
      if (name.endsWith('.crt')) authorities.push(readPem(join(directory, name)));
      if (name.endsWith('.cert')) pair ??= readPair(directory, basename(name, '.cert'), options);
      if (name.endsWith('.key') && !names.includes(`${basename(name, '.key')}.cert`)) {
        throw new EngineError('invalidArgument', `missing client certificate ${basename(name, '.key')}.cert for key ${name}`);
      }
    }
  }
  const system = systemAuthorities();
  const ca = [...(system === undefined || insecure ? [] : [system]), ...authorities];
  return { ...base, ...(ca.length > 0 ? { ca } : {}), ...pair };
}

function readPem(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > fileBytesMax) throw new Error(`larger than ${fileBytesMax} bytes`);
    return text;
  } catch (error) {
    throw new EngineError('invalidArgument', `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function readPair(directory: string, name: string, options: ImageOptions): { cert: string; key: string; passphrase?: string } {
  const keyPath = join(directory, `${name}.key`);
  if (!existsSync(keyPath)) {
    throw new EngineError(
      'invalidArgument',
      `missing key ${name}.key for client certificate ${name}.cert. CA certificates must use the extension .crt`,
    );
  }
  const cert = readPem(join(directory, `${name}.cert`));
  const key = readPem(keyPath);
  const encrypted = key.includes('ENCRYPTED');
  if (options.useDecryptedKey) {
    if (encrypted) throw new EngineError('invalidArgument', `Cannot use ${keyPath}: the key is encrypted; set use-decrypted-key to false`);
    return { cert, key };
  }
  if (!encrypted) throw new EngineError('invalidArgument', `Cannot use ${keyPath}: use-decrypted-key is false, but the key is not encrypted`);
  const passPath = join(directory, `${name}.pass`);
  if (!existsSync(passPath)) throw new EngineError('invalidArgument', `Cannot use ${keyPath}: its passphrase is missing (${passPath})`);
  return { cert, key, passphrase: readPem(passPath).replace(/\r?\n$/, '') };
}
