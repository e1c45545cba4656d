import { parseBytes } from '../parse/bytes.ts';
import { splitHostChannel } from '../parse/device.ts';
import { invalid, shown } from '../parse/invalid.ts';
import type { ContainerOption } from './types.ts';
import { hostSwitch, option } from './values.ts';

const isula = { since: 'isula' } as const;

/** Guide 2.4.1. `validateCreate` refuses them until system containers are there. */
export const systemContainerOptions: readonly ContainerOption[] = [
  hostSwitch('system-container', 'SystemContainer', 'Run a system container (systemd inside)', isula),
  option('ns-change-opt', 'string', 'Kernel parameters that the container may change: net, ipc', (value, { hostConfig }) => {
    if (value.split(',').some((part) => part !== 'net' && part !== 'ipc')) {
      throw invalid(`invalid ns-change-opt '${shown(value)}': want net, ipc or both`);
    }
    hostConfig.NsChangeOpt = value;
  }, isula),
  option('env-target-file', 'string', 'File in the root file system that keeps the environment', (value, { hostConfig }) => {
    if (!value.startsWith('/')) throw invalid(`invalid env-target-file '${shown(value)}': must be an absolute path`);
    hostConfig.EnvTargetFile = value;
  }, isula),
  option('host-channel', 'string', 'Memory shared with the host: host path:container path:rw|ro:size', (value, { hostConfig }) => {
    const channel = splitHostChannel(value);
    hostConfig.HostChannel = {
      PathOnHost: channel.host, PathInContainer: channel.container, Permissions: channel.mode, Size: parseBytes(channel.size),
    };
  }, isula),
  option('user-remap', 'string', 'Map of user ids: uid:gid:offset', (value, { hostConfig }) => {
    if (!/^[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}$/.test(value)) throw invalid(`invalid user-remap '${shown(value)}': want uid:gid:offset`);
    hostConfig.UserRemap = value;
  }, isula),
];
