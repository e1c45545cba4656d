import { ipVersion } from '../../base/index.ts';
import { cut, invalid, shown } from './invalid.ts';

/** `host:ip` (or `host=ip`, brackets round the address allowed) of `--add-host`, as the API carries it: `host:ip`. */
export function parseExtraHost(text: string): string {
  const byEquals = cut(text, '=');
  const { before: host, after } = byEquals.after === undefined ? cut(text, ':') : byEquals;
  if (after === undefined || host === '' || host.includes(':') || /\s/.test(host)) throw invalid(`bad format for add-host: "${shown(text)}"`);
  const address = /^\[.+\]$/.test(after) ? after.slice(1, -1) : after;
  if (address !== 'host-gateway' && ipVersion(address) === 0) throw invalid(`invalid IP address in add-host: "${shown(address)}"`);
  return `${host}:${address}`;
}

/** One `--dns`. */
export function parseDnsServer(text: string): string {
  const address = text.trim();
  if (ipVersion(address.replace(/%[a-zA-Z0-9_.-]+$/, '')) === 0) throw invalid(`IP address is not correctly formatted: ${shown(text)}`);
  return address;
}

/** One `--dns-search`; `.` means: none. */
export function parseDnsSearch(text: string): string {
  const domain = text.trim();
  if (domain === '.') return domain;
  const name = /^((?:[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?)*)\.?$/.exec(domain)?.[1];
  if (name === undefined || name.length >= 255 || !/[a-zA-Z]/.test(name)) throw invalid(`${shown(text)} is not a valid domain`);
  return name;
}

/** One `--dns-opt` (resolv.conf(5), `options`). */
export function parseDnsOption(text: string): string {
  if (!/^[a-zA-Z0-9_-]+(?::[0-9]+)?$/.test(text)) throw invalid(`invalid DNS option: ${shown(text)}`);
  return text;
}

/** A MAC address of six bytes. */
export function checkMacAddress(text: string): string {
  if (!/^[0-9a-fA-F]{2}(?:([:-])[0-9a-fA-F]{2})(?:\1[0-9a-fA-F]{2}){4}$/.test(text)) throw invalid(`${shown(text)} is not a valid mac address`);
  return text;
}

export function checkIpAddress(text: string, version: 4 | 6): string {
  if (ipVersion(text) !== version) throw invalid(`invalid IPv${version} address: ${shown(text)}`);
  return text;
}

/**
 * The name of one `--network`: `none`, `host`, `container:x`, a network's name, or the long form `name=x,…`, whose further
 * keys belong to user networks and are given back for the caller to judge.
 */
export function parseNetwork(text: string): { name: string; options: [key: string, value: string][] } {
  if (!/^\w[\w-]*=/.test(text)) return { name: text, options: [] };
  let name = '';
  const options: [string, string][] = [];
  for (const field of text.split(',')) {
    const { before, after } = cut(field, '=');
    const key = before.trim().toLowerCase();
    if (after === undefined || key === '') throw invalid(`invalid field ${shown(field)}`);
    if (key === 'name') name = after.trim();
    else if (['alias', 'ip', 'ip6', 'mac-address', 'link-local-ip', 'driver-opt', 'gw-priority'].includes(key)) options.push([key, after.trim()]);
    else throw invalid(`invalid field key ${shown(key)}`);
  }
  if (name === '') throw invalid('network name/id is not specified');
  return { name, options };
}
