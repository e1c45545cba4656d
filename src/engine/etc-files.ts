import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoOf } from '../base/index.ts';

/** Of the host's files that are copied into a container. */
const hostFileBytesMax = 1024 * 1024;
/** Where systemd-resolved keeps the servers that its stub at 127.0.0.53 asks. */
const resolvedUpstream = '/run/systemd/resolve/resolv.conf';

/** Host paths of the files that are mounted on /etc/hosts, /etc/hostname and /etc/resolv.conf. */
export interface EtcFiles {
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
}

export interface EtcRequest {
  /** The container's directory under the graph root. */
  readonly directory: string;
  readonly hostname: string;
  readonly domainname: string;
  /** `host`: the host's own files are the base; `none`: no network but the loopback. */
  readonly network: 'host' | 'none';
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** `name:address` (`--add-host`). */
  readonly extraHosts: readonly string[];
  /** The container's root as the host has it; undefined: the host's own. */
  readonly owner?: { uid: number; gid: number } | undefined;
}

/** The paths of a container's files; a container that shares another's network (`container:ID`) uses that one's (docker). */
export function etcFilesIn(directory: string): EtcFiles {
  return { hosts: join(directory, 'hosts'), hostname: join(directory, 'hostname'), resolvConf: join(directory, 'resolv.conf') };
}

/** @throws unsupported for `host-gateway`: it is an address of a bridge network. */
function checkExtraHosts(extraHosts: readonly string[]): void {
  const gateway = extraHosts.find((entry) => entry.endsWith(':host-gateway'));
  if (gateway !== undefined) throw new EngineError('unsupported', `Cannot add host ${gateway}: there is no bridge network whose gateway it could be`);
}

/**
 * Writes the three files anew, as docker does at every start. In place: a container of another network mode may have them
 * mounted.
 */
export function writeEtcFiles(request: EtcRequest, hostRoot = '/'): EtcFiles {
  const files = etcFilesIn(request.directory);
  mkdirSync(request.directory, { recursive: true, mode: 0o700 });
  const fromHost = (path: string): string => readHostFile(join(hostRoot, path));
  const base = request.network === 'host' ? fromHost('/etc/hosts') : '';
  writeReadable(files.hosts, hostsText({ ...request, base }));
  writeReadable(files.hostname, `${request.hostname}\n`);
  let resolv = fromHost('/etc/resolv.conf');
  if (request.network !== 'host' && /^\s*nameserver\s+127\.0\.0\.53\s*$/m.test(resolv)) resolv = fromHost(resolvedUpstream) || resolv;
  writeReadable(files.resolvConf, resolvConfText({ ...request, host: resolv }));
  const { owner } = request;
  if (owner) for (const path of Object.values(files)) chownSync(path, owner.uid, owner.gid);
  return files;
}

/** For every user of the container, whatever the daemon's umask. */
function writeReadable(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

/** Empty for a file that the host has not. */
function readHostFile(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > hostFileBytesMax) throw new EngineError('internal', `Cannot copy ${path}: larger than ${hostFileBytesMax} bytes`);
    return text;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

const loopbackHosts = [
  '127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback', 'fe00::0\tip6-localnet', 'ff00::0\tip6-mcastprefix', 'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** /etc/hosts; `base`: what the host has there, empty for a container with a network of its own. */
export function hostsText(request: Pick<EtcRequest, 'hostname' | 'domainname' | 'extraHosts'> & { base: string }): string {
  checkExtraHosts(request.extraHosts);
  const extra = request.extraHosts.map((entry) => {
    const cut = entry.indexOf(':');
    return `${entry.slice(cut + 1)}\t${entry.slice(0, cut)}`;
  });
  if (request.base !== '') return [request.base.trimEnd(), ...extra, ''].join('\n');
  const name = request.domainname === '' ? request.hostname : `${request.hostname}.${request.domainname} ${request.hostname}`;
  // Without a network the container's own name can only mean itself.
  const own = request.hostname === '' || request.hostname === 'localhost' ? [] : [`127.0.1.1\t${name}`];
  return [...loopbackHosts, ...own, ...extra, ''].join('\n');
}

/**
 * /etc/resolv.conf: the host's, each of servers, search list and options replaced where the user gives some. Servers at a
 * loopback address are another machine's there, unless the container uses the host's network.
 */
export function resolvConfText(request: Pick<EtcRequest, 'dns' | 'dnsSearch' | 'dnsOptions' | 'network'> & { host: string }): string {
  const servers: string[] = [];
  let search: string[] = [];
  const options: string[] = [];
  for (const line of request.host.split('\n')) {
    const [keyword, ...values] = line.replace(/[#;].*$/, '').trim().split(/\s+/);
    if (keyword === 'nameserver') servers.push(...values.slice(0, 1));
    else if (keyword === 'search' || keyword === 'domain') search = values;
    else if (keyword === 'options') options.push(...values);
  }
  const isReachable = (server: string): boolean => request.network === 'host' || !/^(?:127\.|::1(?:%|$))/.test(server);
  const chosen = request.dns.length > 0 ? request.dns : servers.filter(isReachable);
  const domains = request.dnsSearch.length > 0 ? request.dnsSearch.filter((domain) => domain !== '.') : search;
  const flags = request.dnsOptions.length > 0 ? request.dnsOptions : options;
  const lines = chosen.map((server) => `nameserver ${server}`);
  if (domains.length > 0) lines.push(`search ${domains.join(' ')}`);
  if (flags.length > 0) lines.push(`options ${flags.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}
