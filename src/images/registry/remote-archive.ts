import { Readable } from 'node:stream';
import { EngineError } from '../../base/index.ts';
import type { ImageOptions } from '../context.ts';
import { bodyChunks } from './body.ts';
import { Transport } from './transport.ts';

/**
 * The bytes behind an http(s) URL, for `import` (guide 4.5.3.4): with the proxies, the authorities of certs.d, the retries and the limits
 * on redirects that registries have.
 * @throws invalidArgument for another URL; notFound, unavailable, timeout
 */
export async function openRemoteArchive(options: ImageOptions, address: string, signal: AbortSignal): Promise<Readable> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const scheme = url?.protocol === 'https:' ? 'https' : url?.protocol === 'http:' ? 'http' : undefined;
  if (!url || scheme === undefined) {
    throw new EngineError('invalidArgument', `Cannot import ${JSON.stringify(address.slice(0, 200))}: it is no http(s) URL`);
  }
  if (url.username !== '' || url.password !== '') throw new EngineError('invalidArgument', 'Cannot import: a URL with a password in it is not taken');
  const transport = new Transport({ host: url.host, schemes: [scheme], insecure: scheme === 'http', mirror: false }, options);
  const response = await transport.send({ method: 'GET', url, signal, follow: true });
  if (response.status !== 200) {
    await response.body?.cancel();
    const code = response.status === 404 ? 'notFound' : 'unavailable';
    throw new EngineError(code, `Cannot import from ${url.origin}${url.pathname}: the server answered with status ${response.status}`);
  }
  return Readable.from(bodyChunks(response, signal), { objectMode: false });
}
