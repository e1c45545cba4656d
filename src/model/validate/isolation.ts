import { EngineError, isEngineError } from '../../base/index.ts';
import type { ContainerCreateRequest, HostConfig } from '../container.ts';
import { normalizeCapability } from '../parse/capability.ts';
import { checkDevice, isCdiName, parseDeviceCgroupRule } from '../parse/device.ts';
import { checkGroup, checkHostname, parseUser } from '../parse/identity.ts';
import { invalid, shown } from '../parse/invalid.ts';
import { parseIpcMode, parseNetworkMode, parsePidMode, parseUsernsMode, parseUtsMode } from '../parse/namespace-mode.ts';
import { parseSecurityOpts } from '../parse/security-opt.ts';
import { sysctlNamespace } from '../parse/sysctl.ts';
import type { ValidationFacts } from './facts.ts';

function checkNamespaces({ config, hostConfig }: ContainerCreateRequest): void {
  parsePidMode(hostConfig.PidMode);
  parseIpcMode(hostConfig.IpcMode);
  const sharesUts = ['host', 'container'].includes(parseUtsMode(hostConfig.UTSMode).kind);
  const userns = parseUsernsMode(hostConfig.UsernsMode);
  if (config.Hostname !== '') {
    checkHostname(config.Hostname);
    if (sharesUts) throw invalid('conflicting options: hostname and the UTS mode');
  }
  if (config.Domainname !== '' && sharesUts) throw invalid('conflicting options: domainname and the UTS mode');
  if (userns.kind === 'private') throw new EngineError('unsupported', 'a user namespace of its own is not supported: use the daemon\'s userns-remap');
  if (hostConfig.Cgroup !== '') throw new EngineError('unsupported', 'sharing another container\'s cgroup (HostConfig.Cgroup) is not supported');
  if (hostConfig.CgroupParent.split('/').includes('..')) {
    throw invalid(`Invalid cgroup parent '${shown(hostConfig.CgroupParent)}': it must not contain '..'`);
  }
  if (!['', 'default'].includes(hostConfig.Isolation.toLowerCase())) {
    throw invalid(`invalid isolation (${shown(hostConfig.Isolation)}): linux only supports 'default'`);
  }
}

function checkCapabilities(hostConfig: HostConfig): void {
  for (const [key, list] of [['CapAdd', hostConfig.CapAdd], ['CapDrop', hostConfig.CapDrop]] as const) {
    for (const name of list) {
      try {
        normalizeCapability(name);
      } catch (error) {
        throw isEngineError(error) ? invalid(`invalid ${key}: ${error.message}`) : error;
      }
    }
  }
}

function checkSysctls(hostConfig: HostConfig): void {
  const ipc = parseIpcMode(hostConfig.IpcMode);
  const net = parseNetworkMode(hostConfig.NetworkMode);
  for (const key of Object.keys(hostConfig.Sysctls)) {
    const namespace = sysctlNamespace(key);
    if (namespace === undefined) throw invalid(`sysctl '${shown(key)}' is not allowed`);
    const mode = namespace === 'ipc' ? ipc : net;
    if (mode.kind === 'host') {
      throw invalid(`sysctl '${shown(key)}' is not allowed in the host ${namespace === 'ipc' ? 'ipc' : 'network'} namespace`);
    }
  }
}

function checkSecurity(hostConfig: HostConfig, facts: ValidationFacts | undefined): void {
  const options = parseSecurityOpts(hostConfig.SecurityOpt);
  if (facts === undefined) return;
  const hasProfile = options.seccomp !== undefined && options.seccomp.kind !== 'unconfined';
  if (hasProfile && !facts.seccompSupported) {
    throw new EngineError('unsupported', 'seccomp is not enabled in your kernel, cannot run a custom seccomp profile');
  }
  if (options.apparmor !== undefined && options.apparmor !== 'unconfined' && !facts.apparmorEnabled) {
    throw new EngineError('unsupported', `AppArmor is not enabled on this host: --security-opt apparmor=${shown(options.apparmor)}`);
  }
  const [label] = Object.entries(options.selinux ?? {}).filter(([key]) => key !== 'disable');
  if (label !== undefined && !facts.selinuxEnabled) {
    throw new EngineError('unsupported', `SELinux is not enabled on this host: --security-opt label=${shown(label.join(':'))}`);
  }
}

function checkDevices(hostConfig: HostConfig): void {
  hostConfig.Devices = hostConfig.Devices.map(checkDevice);
  for (const rule of hostConfig.DeviceCgroupRules) parseDeviceCgroupRule(rule);
  for (const name of hostConfig.CDIDevices) {
    if (!isCdiName(name)) throw invalid(`invalid CDI device name ${shown(name)}: want vendor/class=name`);
  }
  const [request] = hostConfig.DeviceRequests;
  if (request !== undefined) {
    const wanted = request.Driver === '' ? request.Capabilities.flat().join(',') : request.Driver;
    const what = `device driver "${shown(request.Driver)}" with capabilities: [[${shown(wanted)}]]`;
    throw new EngineError('unsupported', `could not select ${what}: use a CDI name with --device`);
  }
}

/** Namespaces, privileges, devices and identity. */
export function checkIsolation(request: ContainerCreateRequest, facts: ValidationFacts | undefined): void {
  const { config, hostConfig } = request;
  checkNamespaces(request);
  checkCapabilities(hostConfig);
  checkSysctls(hostConfig);
  checkSecurity(hostConfig, facts);
  checkDevices(hostConfig);
  if (config.User !== '') parseUser(config.User);
  for (const group of hostConfig.GroupAdd) checkGroup(group);
  for (const path of [...hostConfig.MaskedPaths ?? [], ...hostConfig.ReadonlyPaths ?? []]) {
    if (!path.startsWith('/')) throw invalid(`invalid masked or read-only path '${shown(path)}': must be absolute`);
  }
}

/** The options of chapter 2, until there are system containers. */
export function refuseSystemContainer(hostConfig: HostConfig): void {
  const asked: [string, boolean][] = [
    ['--system-container', hostConfig.SystemContainer], ['--ns-change-opt', hostConfig.NsChangeOpt !== '' || hostConfig.NsChangeFiles.length > 0],
    ['--user-remap', hostConfig.UserRemap !== ''], ['--host-channel', hostConfig.HostChannel !== null],
    ['--env-target-file', hostConfig.EnvTargetFile !== ''],
  ];
  const first = asked.find(([, isAsked]) => isAsked);
  if (first !== undefined) throw new EngineError('unsupported', `${first[0]} is not supported: system containers are not there yet`);
}
