import { EngineError } from '../../base/index.ts';
import type { ImageOptions } from '../context.ts';
import { inBlock, isLoopback } from './proxy.ts';

/** A registry as it is asked: where, and how much its TLS is trusted. */
export interface Endpoint {
  /** Host with port, as in image names. */
  readonly host: string;
  /** Tried in order; http only where the registry is insecure. */
  readonly schemes: readonly ('https' | 'http')[];
  /** Certificates are not verified. */
  readonly insecure: boolean;
  readonly mirror: boolean;
}

const mirrorsMax = 16;

/** The endpoints for a host of image names, mirrors first where only reading is asked for. @throws invalidArgument for a malformed mirror */
export function endpointsFor(domain: string, options: ImageOptions, purpose: 'read' | 'write'): Endpoint[] {
  const host = options.transformation[domain] ?? domain;
  const own: Endpoint = endpoint(host, undefined, options, false);
  if (purpose === 'write') return [own];
  return [...mirrorsOf(domain, options).filter((mirror) => mirror.host !== host && mirror.host !== domain), own];
}

function endpoint(host: string, scheme: 'https' | 'http' | undefined, options: ImageOptions, mirror: boolean): Endpoint {
  const insecure = isInsecure(host, options.insecureRegistries);
  if (scheme === 'http') return { host, schemes: ['http'], insecure: true, mirror };
  return { host, schemes: insecure && scheme === undefined ? ['https', 'http'] : ['https'], insecure, mirror };
}

function mirrorsOf(domain: string, options: ImageOptions): Endpoint[] {
  const mirrors: Endpoint[] = [];
  for (const text of options.registryMirrors.slice(0, mirrorsMax)) {
    const [, forHost = options.defaultHost, target = text] = /^([^=/]+)=(.+)$/.exec(text) ?? [];
    if (forHost !== domain) continue;
    const withScheme = /^https?:\/\//i.test(target);
    const url = URL.canParse(withScheme ? target : `https://${target}`) ? new URL(withScheme ? target : `https://${target}`) : undefined;
    if (!url || url.host === '' || (url.pathname !== '/' && url.pathname !== '') || url.search !== '' || url.username !== '') {
      throw new EngineError(
        'invalidArgument',
        `invalid mirror: ${JSON.stringify(text.slice(0, 120))} is not a host or an http(s) URL without a path`,
      );
    }
    const scheme = withScheme ? (url.protocol === 'http:' ? 'http' : 'https') : undefined;
    const host = options.transformation[url.host] ?? url.host;
    mirrors.push(endpoint(host, scheme, options, true));
  }
  return mirrors;
}

/** Loopback is insecure without being named, as docker has it; else a host (with port, or any port), or a CIDR block. */
function isInsecure(host: string, insecureRegistries: readonly string[]): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  if (name === 'localhost' || isLoopback(name)) return true;
  return insecureRegistries.some((text) => {
    const item = text.replace(/^https?:\/\//i, '').replace(/\/+$/, '');
    return item === host || item === name || (item.includes('/') && inBlock(name, item));
  });
}
