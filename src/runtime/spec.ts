import { EngineError } from '../base/index.ts';
import { specMounts, specPaths } from './spec-mounts.ts';
import { selinuxLabels } from './selinux.ts';
import { specProcess } from './spec-process.ts';
import { specDevices, specResources } from './spec-resources.ts';
import { parseSecurityOpts } from '../model/index.ts';
import type { HostFacts, NamespaceChoice, OciSpec, ResolvedHost, SpecInput } from './types.ts';

/** Annotations that steer crun itself: a container's own must not. */
const runtimeAnnotations = /^run\.oci\./;

export interface GeneratedSpec {
  spec: OciSpec;
  /** What was asked for and cannot be given here, one sentence each; it was left out. */
  warnings: string[];
}

/**
 * The OCI runtime specification of a container: a pure function of what is wanted (`input`), what this host has (`facts`) and
 * what was looked up on it (`host`).
 * @throws invalidArgument, unsupported for wishes that must not be dropped silently.
 */
export function assembleSpec(input: SpecInput, host: ResolvedHost, facts: HostFacts): GeneratedSpec {
  const { hostConfig } = input;
  const warnings: string[] = [];
  const security = parseSecurityOpts(hostConfig.SecurityOpt);
  const annotations = { ...input.config.Annotations, ...hostConfig.Annotations };
  for (const name of Object.keys(annotations)) {
    if (!runtimeAnnotations.test(name)) continue;
    throw new EngineError('invalidArgument', `Cannot set annotation ${name}: names that begin with run.oci. belong to the runtime`);
  }
  const devices = specDevices(hostConfig, host);
  const resources = { ...specResources(hostConfig, host, facts, warnings), devices: devices.rules };
  const linux: Record<string, unknown> = {
    cgroupsPath: input.cgroupPath,
    resources,
    namespaces: specNamespaces(input),
    devices: devices.nodes,
    rootfsPropagation: rootfsPropagation(input),
    ...specPaths(hostConfig, security.systemPathsUnconfined),
  };
  if (host.seccomp && facts.seccompSupported) linux.seccomp = host.seccomp;
  if (input.idMaps && input.userNamespacePath === undefined) Object.assign(linux, { uidMappings: input.idMaps.uid, gidMappings: input.idMaps.gid });
  const sysctl = specSysctl(input);
  if (Object.keys(sysctl).length > 0) linux.sysctl = sysctl;
  const mountLabel = selinuxLabels(input.id, security, facts)?.mount;
  if (mountLabel !== undefined) linux.mountLabel = mountLabel;
  const spec: OciSpec = {
    ociVersion: '1.0.2',
    process: specProcess(input, security, facts, warnings),
    root: { path: input.rootfsPath, readonly: hostConfig.ReadonlyRootfs },
    mounts: specMounts(input),
    linux,
  };
  if (input.namespaces.uts.kind === 'private' && input.hostname !== '') spec.hostname = input.hostname;
  if (input.hooks) spec.hooks = input.hooks;
  if (Object.keys(annotations).length > 0) spec.annotations = annotations;
  return { spec, warnings };
}

function specNamespaces(input: SpecInput): { type: string; path?: string }[] {
  const { network, ipc, pid, uts, cgroup } = input.namespaces;
  const choices: [type: string, choice: NamespaceChoice][] = [
    ['mount', { kind: 'private' }], ['network', network], ['uts', uts], ['pid', pid], ['ipc', ipc], ['cgroup', cgroup],
  ];
  const { userNamespacePath: path } = input;
  if (input.idMaps) choices.push(['user', path === undefined ? { kind: 'private' } : { kind: 'path', path }]);
  const namespaces: { type: string; path?: string }[] = [];
  for (const [type, choice] of choices) {
    if (choice.kind === 'private') namespaces.push({ type });
    else if (choice.kind === 'path') namespaces.push({ type, path: choice.path });
  }
  return namespaces;
}

/** Shared and slave mounts need a root that propagates; else nothing of the container's mounts reaches the host. */
function rootfsPropagation(input: SpecInput): string {
  const wanted = input.mounts.map((mount) => mount.propagation.replace(/^r/, ''));
  if (wanted.includes('shared')) return 'rshared';
  return wanted.includes('slave') ? 'rslave' : 'rprivate';
}

function specSysctl(input: SpecInput): Record<string, string> {
  const sysctl: Record<string, string> = {};
  // Docker's default since 20.10: a container's own network needs no capability for low ports and for ping.
  if (input.namespaces.network.kind === 'private' && !input.idMaps && !input.hostConfig.Privileged) {
    sysctl['net.ipv4.ip_unprivileged_port_start'] = '0';
    sysctl['net.ipv4.ping_group_range'] = '0 2147483647';
  }
  // runtime-spec 1.0 has no domainname field.
  if (input.config.Domainname !== '' && input.namespaces.uts.kind === 'private') sysctl['kernel.domainname'] = input.config.Domainname;
  return { ...sysctl, ...input.hostConfig.Sysctls };
}
