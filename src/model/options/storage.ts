import { invalid, shown, cut } from '../parse/invalid.ts';
import { parseKeyValue } from '../parse/key-values.ts';
import { parseMount } from '../parse/mount.ts';
import { storageSizeBytes } from '../parse/storage-opt.ts';
import { parseTmpfs } from '../parse/tmpfs.ts';
import { formatVolumeSpec, parseVolumeSpec, parseVolumesFrom } from '../parse/volume.ts';
import type { ContainerOption } from './types.ts';
import { hostList, hostString, hostSwitch, option, resolveDotPath } from './values.ts';

/** The root file system, volumes, mounts and the log. */
export const storageOptions: readonly ContainerOption[] = [
  option('volume', 'list', 'Volume or host path: [source:]target[:ro,z,rslave,nocopy,…]', (value, { config, hostConfig, context }) => {
    const { before, after } = cut(value, ':');
    const spec = after === undefined ? value : `${resolveDotPath(before, context.cwd)}:${after}`;
    const volume = parseVolumeSpec(spec);
    if (volume.source === '') config.Volumes = { ...config.Volumes, [volume.target]: {} };
    else hostConfig.Binds.push(formatVolumeSpec(volume));
  }, { short: 'v' }),
  option('mount', 'list', 'Mount: type=bind|volume|tmpfs|squashfs|erofs,source=…,target=…[,readonly,…]', (value, { hostConfig, context }) => {
    const mount = parseMount(value);
    hostConfig.Mounts.push({ ...mount, Source: resolveDotPath(mount.Source, context.cwd) });
  }, { metavar: 'mount' }),
  option('tmpfs', 'list', 'Temporary file system: path[:options]', (value, { hostConfig }) => {
    const { target, options } = parseTmpfs(value);
    hostConfig.Tmpfs = { ...hostConfig.Tmpfs, [target]: options };
  }),
  hostList('volumes-from', 'VolumesFrom', 'Mount the volumes of another container: container[:ro]', (value) => {
    parseVolumesFrom(value);
    return value;
  }),
  hostString('volume-driver', 'VolumeDriver', 'Driver of named volumes; only local is known'),
  hostSwitch('read-only', 'ReadonlyRootfs', 'Make the root file system read-only'),
  option('storage-opt', 'list', 'Option of the storage driver: size=10G limits what the container may write', (value, { hostConfig }) => {
    const [key, setting] = parseKeyValue(value, 'storage option');
    storageSizeBytes({ [key]: setting });
    hostConfig.StorageOpt = { ...hostConfig.StorageOpt, [key]: setting };
  }),
  option('external-rootfs', 'string', 'Root file system that isulad does not manage (directory or block device)', (value, { hostConfig }) => {
    if (!value.startsWith('/')) throw invalid(`invalid external rootfs '${shown(value)}': must be an absolute path`);
    hostConfig.ExternalRootfs = value;
  }, { since: 'isula' }),
  option('log-driver', 'string', 'Log driver: json-file or none', (value, { hostConfig }) => {
    hostConfig.LogConfig = { ...hostConfig.LogConfig, Type: value };
  }, { values: ['json-file', 'none'] }),
  option('log-opt', 'list', 'Option of the log: max-size=1m, max-file=7, disable-log=true, …', (value, { hostConfig }) => {
    const [key, setting] = parseKeyValue(value, 'log option');
    hostConfig.LogConfig = { Type: hostConfig.LogConfig.Type, Config: { ...hostConfig.LogConfig.Config, [key]: setting } };
  }),
];
