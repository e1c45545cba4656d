import { isRecord } from '../../base/index.ts';
import type { RegistryAuth } from '../../images/index.ts';

/** The header is base64 of a small JSON object; tokens of registries are some kilobytes. */
const headerMax = 32 * 1024;

/** Credentials of an X-Registry-Auth header (URL-safe base64 of JSON). Docker takes what it cannot read for none. */
export function decodeRegistryAuth(header: string): RegistryAuth | undefined {
  if (header === '' || header.length > headerMax) return undefined;
  let decoded: unknown;
  try {
    decoded = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isRecord(decoded)) return undefined;
  const auth: RegistryAuth = {};
  for (const name of ['username', 'password', 'identitytoken', 'registrytoken', 'serveraddress'] as const) {
    const value = decoded[name];
    if (typeof value === 'string' && value !== '') auth[name] = value;
  }
  return Object.keys(auth).length === 0 ? undefined : auth;
}
