import { ipVersion } from '../../base/index.ts';
import type { PortBinding } from '../container.ts';
import { cut, invalid, shown } from './invalid.ts';

interface Range {
  first: number;
  last: number;
}

function parseRange(text: string): Range | undefined {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65_535 ? { first, last } : undefined;
}

function parseProtocol(text: string | undefined): string {
  const protocol = (text ?? 'tcp').toLowerCase();
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') throw invalid(`invalid proto: ${shown(protocol)}`);
  return protocol;
}

/** `port[-port][/tcp|udp|sctp]` of `--expose`: `80/tcp` for each port. */
export function parseExpose(text: string): string[] {
  const { before, after } = cut(text, '/');
  const range = parseRange(before);
  if (range === undefined || range.first === 0) throw invalid(`invalid range format for --expose: ${shown(text)}`);
  const protocol = parseProtocol(after);
  return Array.from({ length: range.last - range.first + 1 }, (_, index) => `${range.first + index}/${protocol}`);
}

/** The long form of `--publish`, `published=8080,target=80,protocol=tcp`, in the short one. */
function shortForm(text: string): string {
  if (!text.includes('=')) return text;
  const fields: Record<string, string> = { protocol: 'tcp', published: '', target: '' };
  for (const field of text.split(',')) {
    const { before, after } = cut(field, '=');
    if (after === undefined || !Object.hasOwn(fields, before)) {
      throw invalid(`invalid publish opts format (should be name=value but got '${shown(field)}')`);
    }
    fields[before] = after;
  }
  return `${fields['published'] ?? ''}:${fields['target'] ?? ''}/${fields['protocol'] ?? ''}`;
}

export interface PublishedPort {
  /** `80/tcp`. */
  port: string;
  binding: PortBinding;
}

/** `[[ip:][host-port]:]container-port[/proto]` of `--publish`, ranges included: one entry for each container port. */
export function parsePublish(text: string): PublishedPort[] {
  const { before, after } = cut(shortForm(text), '/');
  const protocol = parseProtocol(after);
  const [, ip = '', host = '', container = ''] = /^(?:(\[[^\]]*\]|[^:[\]]*):)??(?:([^:]*):)?([^:]*)$/.exec(before) ?? [];
  if (container === '') throw invalid(`no port specified: ${shown(text)}`);
  const address = ip.replace(/^\[(.*)\]$/, '$1');
  if (address !== '' && ipVersion(address) === 0) throw invalid(`invalid IP address: ${shown(ip)}`);
  const inside = parseRange(container);
  if (inside === undefined || inside.first === 0) throw invalid(`invalid containerPort: ${shown(container)}`);
  const outside = host === '' ? undefined : parseRange(host);
  if (host !== '' && outside === undefined) throw invalid(`invalid hostPort: ${shown(host)}`);
  const count = inside.last - inside.first + 1;
  const isRangeForOne = outside !== undefined && count === 1 && outside.last > outside.first;
  if (outside !== undefined && !isRangeForOne && outside.last - outside.first !== inside.last - inside.first) {
    throw invalid(`invalid ranges specified for container and host Ports: ${shown(container)} and ${shown(host)}`);
  }
  return Array.from({ length: count }, (_, index) => ({
    port: `${inside.first + index}/${protocol}`,
    binding: { HostIp: address, HostPort: outside === undefined ? '' : isRangeForOne ? host : String(outside.first + index) },
  }));
}
