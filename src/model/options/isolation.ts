import { EngineError, messageOf } from '../../base/index.ts';
import { normalizeCapability } from '../parse/capability.ts';
import { formatDeviceCgroupRule, isCdiName, parseDevice, parseDeviceCgroupRule } from '../parse/device.ts';
import { parseGpus } from '../parse/gpus.ts';
import { checkGroup } from '../parse/identity.ts';
import { invalid, shown } from '../parse/invalid.ts';
import { parseCgroupnsMode, parseIpcMode, parsePidMode, parseUsernsMode, parseUtsMode } from '../parse/namespace-mode.ts';
import type { NamespaceMode } from '../parse/namespace-mode.ts';
import { parseSecurityOpts } from '../parse/security-opt.ts';
import { parseSysctl } from '../parse/sysctl.ts';
import type { ContainerOption, RequestDraft } from './types.ts';
import { hostList, hostString, hostSwitch, option } from './values.ts';

function namespaceOption(
  name: string, key: 'PidMode' | 'IpcMode' | 'UTSMode' | 'UsernsMode', help: string, parse: (text: string) => NamespaceMode, values: string[],
): ContainerOption {
  return option(name, 'string', help, (value, { hostConfig }) => {
    parse(value);
    hostConfig[key] = value;
  }, { values });
}

/** The client reads a seccomp profile and sends its text: the file is the caller's, not the daemon's. */
function applySecurityOpt(value: string, { hostConfig, context }: RequestDraft): void {
  const parsed = parseSecurityOpts([value]);
  if (parsed.systemPathsUnconfined) {
    hostConfig.MaskedPaths = [];
    hostConfig.ReadonlyPaths = [];
    return;
  }
  if (parsed.seccomp?.kind !== 'file') {
    hostConfig.SecurityOpt.push(value);
    return;
  }
  let text: string;
  try {
    text = context.readFile(parsed.seccomp.path);
  } catch (error) {
    throw invalid(`opening seccomp profile (${shown(parsed.seccomp.path)}) failed: ${messageOf(error)}`);
  }
  try {
    hostConfig.SecurityOpt.push(`seccomp=${JSON.stringify(JSON.parse(text))}`);
  } catch (error) {
    throw invalid(`compacting json for seccomp profile (${shown(parsed.seccomp.path)}) failed: ${messageOf(error)}`);
  }
}

/** Privileges, namespaces, devices and the cgroup's place. */
export const isolationOptions: readonly ContainerOption[] = [
  hostList('cap-add', 'CapAdd', 'Add a capability, with or without CAP_; ALL for all', (value) => {
    normalizeCapability(value);
    return value;
  }),
  hostList('cap-drop', 'CapDrop', 'Drop a capability, with or without CAP_; ALL for all', (value) => {
    normalizeCapability(value);
    return value;
  }),
  hostSwitch('privileged', 'Privileged', 'Give all capabilities and all devices, and lift all other restrictions'),
  option('security-opt', 'list', 'seccomp=FILE|unconfined, no-new-privileges, label=…, apparmor=…, systempaths=unconfined', applySecurityOpt),
  hostList('group-add', 'GroupAdd', 'Further group of the user, by name or number', (value) => {
    checkGroup(value);
    return value;
  }),
  namespaceOption('pid', 'PidMode', 'PID namespace: none, host or container:<name|id>', parsePidMode, ['none', 'host', 'container:']),
  namespaceOption('ipc', 'IpcMode', 'IPC namespace: none, private, shareable, host or container:<name|id>', parseIpcMode,
    ['none', 'private', 'shareable', 'host', 'container:']),
  namespaceOption('uts', 'UTSMode', 'UTS namespace: none, host or container:<name|id>', parseUtsMode, ['none', 'host', 'container:']),
  namespaceOption('userns', 'UsernsMode', 'User namespace: host, where the daemon remaps users', parseUsernsMode, ['host']),
  option('cgroupns', 'string', 'Cgroup namespace: host or private', (value, { hostConfig }) => {
    const { kind } = parseCgroupnsMode(value);
    hostConfig.CgroupnsMode = kind === 'host' || kind === 'private' ? kind : '';
  }, { values: ['host', 'private'] }),
  hostString('cgroup-parent', 'CgroupParent', 'Parent of the container\'s cgroup'),
  option('device', 'list', 'Host device, or directory of devices: host[:container][:rwm]; or a CDI name', (value, { hostConfig }) => {
    if (isCdiName(value)) hostConfig.CDIDevices.push(value);
    else hostConfig.Devices.push(parseDevice(value));
  }),
  hostList('device-cgroup-rule', 'DeviceCgroupRules', 'Rule for allowed devices: \'c 1:3 rwm\'', (value) =>
    formatDeviceCgroupRule(parseDeviceCgroupRule(value))),
  option('gpus', 'string', 'GPUs: all, a number, or device=…', (value, { hostConfig }) => {
    hostConfig.DeviceRequests.push(parseGpus(value));
  }, { metavar: 'gpu-request' }),
  option('sysctl', 'list', 'Kernel parameter of the container\'s namespaces: key=value', (value, { hostConfig }) => {
    const [key, setting] = parseSysctl(value);
    hostConfig.Sysctls = { ...hostConfig.Sysctls, [key]: setting };
  }, { metavar: 'map' }),
  hostString('isolation', 'Isolation', 'Isolation technology; Linux knows only \'default\''),
  hostString('runtime', 'Runtime', 'Runtime of the container, such as lcr', { short: 'R' }),
  hostString('hook-spec', 'HookSpec', 'JSON file of OCI hooks (absolute path)', { since: 'isula' }),
  option('use-api-socket', 'bool', 'Not supported: give the socket with --volume', () => {
    throw new EngineError('unsupported', '--use-api-socket is not supported: mount the socket with --volume');
  }, { hidden: true }),
];
