import { EngineError } from '../../base/index.ts';
import type { RegistryAuth } from '../types.ts';
import { Authenticator } from './authenticator.ts';
import type { RegistryContext } from './connect.ts';
import { serverHost } from './credentials.ts';
import { endpointsFor } from './endpoints.ts';
import { registryError } from './registry-error.ts';
import { sendAuthorized } from './repository.ts';
import { Transport } from './transport.ts';

/** `login`: asks the registry whether the credentials are good, and only then keeps them, if it shall. @throws unauthorized, unavailable */
export async function login(
  context: RegistryContext,
  auth: RegistryAuth,
  keep: boolean,
  signal: AbortSignal,
): Promise<{ status: string; identityToken: string }> {
  const { options } = context.images;
  const server = serverHost(auth.serveraddress ?? '', options.defaultHost);
  if ((auth.username ?? '') === '' && (auth.identitytoken ?? '') === '') {
    throw new EngineError('invalidArgument', 'Cannot log in: the username is empty');
  }
  if ((auth.username ?? '').includes(':')) throw new EngineError('invalidArgument', 'Cannot log in: a username has no colon');
  const [endpoint] = endpointsFor(server, options, 'write');
  if (!endpoint) throw new EngineError('unavailable', `Cannot reach ${server}`);
  const transport = new Transport(endpoint, options);
  const authenticator = new Authenticator(transport, auth);
  const url = new URL('v2/', await transport.base(signal));
  const response = await sendAuthorized(transport, authenticator, { method: 'GET', url, signal, follow: true }, []);
  if (response.status === 401 || response.status === 403) {
    await response.body?.cancel();
    throw new EngineError('unauthorized', `Get "${url.href}": unauthorized: incorrect username or password`);
  }
  if (response.status !== 200) throw await registryError(response, `Cannot log in to ${server}`, signal);
  if ((response.headers.get('content-type') ?? '').includes('html')) {
    await response.body?.cancel();
    throw new EngineError('unavailable', `Cannot log in to ${server}: it answered with a web page: is it a registry?`);
  }
  await response.body?.cancel();
  const identityToken = auth.username === undefined ? '' : await authenticator.identityToken(signal);
  const kept = identityToken === '' ? auth : { username: auth.username ?? '', identitytoken: identityToken };
  if (keep) context.credentials.set(server, { ...kept, serveraddress: server });
  return { status: 'Login Succeeded', identityToken };
}

/** Forgets a server's credentials. @throws notFound when there are none */
export function logout(context: RegistryContext, address: string): void {
  const server = serverHost(address, context.images.options.defaultHost);
  if (!context.credentials.remove(server)) throw new EngineError('notFound', `Not logged in to ${server}`);
}
