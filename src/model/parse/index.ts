export {
  parseHugetlbLimit, parseThrottleBps, parseThrottleIops, parseWeightDevice,
} from './blkio.ts';
export { formatBytes, parseBytes, parseBytesOrUnlimited } from './bytes.ts';
export { capabilityNames, normalizeCapability } from './capability.ts';
export { parseCpuset } from './cpuset.ts';
export { parseCpus } from './cpus.ts';
export { parseCsv } from './csv.ts';
export {
  type DeviceCgroupRule, checkDevice, formatDeviceCgroupRule, isCdiName, parseDevice, parseDeviceCgroupRule,
} from './device.ts';
export { formatDuration, parseDuration } from './duration.ts';
export { parseGpus } from './gpus.ts';
export { type UserSpec, checkContainerName, checkHostname, formatUser, parseUser } from './identity.ts';
export { type LookUp, parseEnv, parseEnvFile, parseLabel, parseLabelFile } from './key-values.ts';
export { checkLogConfig } from './log-config.ts';
export { parseMount } from './mount.ts';
export {
  type NamespaceMode, parseCgroupnsMode, parseIpcMode, parseNetworkMode, parsePidMode, parseUsernsMode, parseUtsMode,
} from './namespace-mode.ts';
export { parseDnsOption, parseDnsSearch, parseDnsServer, parseExtraHost } from './network.ts';
export { cleanPath, isLocalPath } from './paths.ts';
export { type PlatformSpec, parsePlatform } from './platform.ts';
export { type PublishedPort, parseExpose, parsePublish } from './port.ts';
export { parseRestartPolicy } from './restart.ts';
export { type SecurityOptions, parseSecurityOpts } from './security-opt.ts';
export { parseSignal } from './signal.ts';
export { storageSizeBytes } from './storage-opt.ts';
export { parseSysctl, sysctlNamespace } from './sysctl.ts';
export { formatTimestamp, parseTimestamp } from './timestamp.ts';
export { checkTmpfsOptions, parseTmpfs } from './tmpfs.ts';
export { checkUlimit, parseUlimit } from './ulimit.ts';
export {
  type VolumeSpec, checkMountTarget, checkRelabel, formatVolumeSpec, isVolumeName, parseVolumeSpec, parseVolumesFrom, propagations,
} from './volume.ts';
