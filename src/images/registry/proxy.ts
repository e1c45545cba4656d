import { BlockList, isIP } from 'node:net';
import { EngineError } from '../../base/index.ts';

/** Proxies of the environment: HTTP_PROXY, HTTPS_PROXY, NO_PROXY and their lower-case forms, by Go's rules (docker's). */
export interface ProxySettings {
  readonly http: string;
  readonly https: string;
  readonly no: readonly string[];
}

const variables = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy', 'NO_PROXY', 'no_proxy'] as const;

/**
 * Takes the settings out of the environment. Out, because Bun's fetch would else apply them by itself, and its rules send
 * loopback registries through the proxy and know no CIDR blocks in NO_PROXY. Taking twice gives the same.
 */
export function takeProxySettings(): ProxySettings {
  const read = (upper: string): string => process.env[upper] ?? process.env[upper.toLowerCase()] ?? '';
  const no = read('NO_PROXY').split(',').map((item) => item.trim()).filter((item) => item !== '');
  const found: ProxySettings = { http: read('HTTP_PROXY'), https: read('HTTPS_PROXY'), no };
  for (const name of variables) delete process.env[name];
  if (found.http !== '' || found.https !== '' || found.no.length > 0) taken = found;
  return taken;
}

let taken: ProxySettings = { http: '', https: '', no: [] };

/** The proxy for a URL, undefined: none. @throws invalidArgument for a proxy that is no URL */
export function proxyFor(url: URL, settings: ProxySettings): string | undefined {
  const chosen = url.protocol === 'https:' ? settings.https : settings.http;
  if (chosen === '' || bypasses(url, settings.no)) return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(chosen) ? chosen : `http://${chosen}`;
  if (!URL.canParse(text)) throw new EngineError('invalidArgument', 'Cannot use the proxy of the environment: it is no URL');
  return text;
}

function bypasses(url: URL, no: readonly string[]): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (host === 'localhost' || isLoopback(host)) return true;
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  return no.some((item) => matches(item.toLowerCase(), host, port));
}

function matches(item: string, host: string, port: string): boolean {
  if (item === '*') return true;
  if (item.includes('/')) return isIP(host) !== 0 && inBlock(host, item);
  const [, name = item, itemPort] = /^(.*?)(?::(\d+))?$/.exec(item) ?? [];
  if (itemPort !== undefined && itemPort !== port) return false;
  if (name.startsWith('*.')) return host.endsWith(name.slice(1));
  if (name.startsWith('.')) return host.endsWith(name);
  return host === name || host.endsWith(`.${name}`);
}

export function isLoopback(host: string): boolean {
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** True when the address is in the CIDR block; false when either is malformed. */
export function inBlock(address: string, block: string): boolean {
  const [network = '', bits = ''] = block.split('/');
  const family = isIP(network);
  if (family === 0 || isIP(address) !== family || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
