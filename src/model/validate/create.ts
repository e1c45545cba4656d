import type { ContainerCreateRequest, HostConfig } from '../container.ts';
import { checkContainerName } from '../parse/identity.ts';
import { invalid, shown } from '../parse/invalid.ts';
import { checkLogConfig } from '../parse/log-config.ts';
import { parsePlatform } from '../parse/platform.ts';
import { checkRestartPolicy } from '../parse/restart.ts';
import { storageSizeBytes } from '../parse/storage-opt.ts';
import type { ValidationFacts } from './facts.ts';
import { checkIsolation, refuseSystemContainer } from './isolation.ts';
import { checkMounts } from './mounts.ts';
import { checkNetworking } from './networking.ts';
import { checkAnnotations, checkConfig } from './process.ts';
import { checkResources, defaultMemorySwap, dropUnsupported } from './resources.ts';

function checkRest(hostConfig: HostConfig): void {
  if (hostConfig.ShmSize < 0) throw invalid('SHM size can not be less than 0');
  if (hostConfig.OomScoreAdj < -1000 || hostConfig.OomScoreAdj > 1000) {
    throw invalid(`Invalid value ${hostConfig.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  checkRestartPolicy(hostConfig.RestartPolicy);
  if (hostConfig.AutoRemove && hostConfig.RestartPolicy.Name !== 'no') throw invalid('Conflicting options: --restart and --rm');
  checkAnnotations(hostConfig.Annotations);
  checkLogConfig(hostConfig.LogConfig);
  storageSizeBytes(hostConfig.StorageOpt);
  if (hostConfig.ExternalRootfs !== '' && !hostConfig.ExternalRootfs.startsWith('/')) {
    throw invalid(`invalid external rootfs '${shown(hostConfig.ExternalRootfs)}': must be an absolute path`);
  }
}

function takeKernelMemory(hostConfig: HostConfig): string[] {
  if (hostConfig.KernelMemory === 0 && hostConfig.KernelMemoryTCP === 0) return [];
  hostConfig.KernelMemory = 0;
  hostConfig.KernelMemoryTCP = 0;
  return ['Specifying a kernel memory limit is deprecated and no longer supported by the kernel. Limitation discarded.'];
}

/**
 * Judges a whole request: ranges, combinations, and what cannot be done here. As docker's daemon does, it completes the request in
 * place (swap from memory, cleaned paths) and takes out of it what the host cannot do, with a warning.
 * @throws invalidArgument for what is wrong, unsupported for what cannot be done; then nothing may be created.
 */
export function validateCreate(request: ContainerCreateRequest, facts?: ValidationFacts): string[] {
  const { config, hostConfig } = request;
  if (request.name !== '') request.name = checkContainerName(request.name);
  if (request.platform !== '') parsePlatform(request.platform, '');
  checkConfig(config);
  refuseSystemContainer(hostConfig);
  checkRest(hostConfig);
  checkResources(hostConfig, facts, false);
  checkIsolation(request, facts);
  checkMounts(hostConfig, config.Volumes);
  const warnings = checkNetworking(request);
  if (hostConfig.OomKillDisable && hostConfig.Memory === 0) {
    warnings.push('OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.');
  }
  warnings.push(...takeKernelMemory(hostConfig));
  if (hostConfig.MemorySwappiness === -1) hostConfig.MemorySwappiness = null;
  if (hostConfig.Memory > 0 && hostConfig.MemorySwap === 0) hostConfig.MemorySwap = defaultMemorySwap(hostConfig.Memory);
  if (facts !== undefined) warnings.push(...dropUnsupported(hostConfig, facts));
  return warnings;
}
