import type { ImageContext } from '../context.ts';
import type { RegistryAuth } from '../types.ts';
import { Authenticator } from './authenticator.ts';
import type { CredentialStore } from './credentials.ts';
import type { Downloads } from './download.ts';
import type { Endpoint } from './endpoints.ts';
import { Repository } from './repository.ts';
import { Transport } from './transport.ts';

/** What the registry verbs work with. */
export interface RegistryContext {
  readonly images: ImageContext;
  readonly credentials: CredentialStore;
  readonly downloads: Downloads;
}

/** Credentials go to the registry they are for: a mirror gets what was stored for itself, never what came with the request. */
export function credentialsFor(
  context: RegistryContext,
  endpoint: Endpoint,
  domain: string,
  auth: RegistryAuth | undefined,
): RegistryAuth | undefined {
  if (endpoint.mirror) return context.credentials.get(endpoint.host);
  const given = auth !== undefined && [auth.username, auth.identitytoken, auth.registrytoken].some((text) => text !== undefined && text !== '');
  return given ? auth : (context.credentials.get(domain) ?? context.credentials.get(endpoint.host));
}

export function openRepository(
  context: RegistryContext,
  endpoint: Endpoint,
  name: { domain: string; path: string },
  auth: RegistryAuth | undefined,
  rights: 'pull' | 'pull,push',
): Repository {
  const transport = new Transport(endpoint, context.images.options);
  return new Repository(transport, new Authenticator(transport, credentialsFor(context, endpoint, name.domain, auth)), name.path, rights);
}
