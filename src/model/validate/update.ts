import { EngineError } from '../../base/index.ts';
import type { HostConfig, ResourceUpdate } from '../container.ts';
import { invalid } from '../parse/invalid.ts';
import { checkRestartPolicy } from '../parse/restart.ts';
import type { ValidationFacts } from './facts.ts';
import { checkResources, defaultMemorySwap, dropUnsupported } from './resources.ts';

function checkAgainstOld(old: HostConfig, update: ResourceUpdate): void {
  const { NanoCpus: nano = 0, CpuPeriod: period = 0, CpuQuota: quota = 0, Memory: memory = 0, MemorySwap: swap = 0 } = update;
  if (nano !== 0 && old.CpuPeriod > 0) throw conflict('Nano CPUs cannot be updated as CPU Period has already been set');
  if (nano !== 0 && old.CpuQuota > 0) throw conflict('Nano CPUs cannot be updated as CPU Quota has already been set');
  if (period !== 0 && old.NanoCpus > 0) throw conflict('CPU Period cannot be updated as NanoCPUs has already been set');
  if (quota !== 0 && old.NanoCpus > 0) throw conflict('CPU Quota cannot be updated as NanoCPUs has already been set');
  if (memory > 0 && swap === 0 && old.MemorySwap > 0 && memory > old.MemorySwap) {
    throw new EngineError('conflict', 'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time');
  }
  const { RestartPolicy: restart } = update;
  if (restart === undefined) return;
  checkRestartPolicy(restart);
  if (old.AutoRemove && restart.Name !== 'no') {
    throw new EngineError('conflict', 'Restart policy cannot be updated because AutoRemove is enabled for the container');
  }
}

function conflict(message: string): EngineError {
  return new EngineError('conflict', `Conflicting options: ${message}`);
}

/**
 * Judges an update of a container that has `old`, and gives the HostConfig it would have. Limits below what is in use are for the
 * kernel to refuse.
 * @throws invalidArgument for values out of range, conflict for what does not go with `old`, unsupported.
 */
export function validateUpdate(old: HostConfig, update: ResourceUpdate, facts?: ValidationFacts): { hostConfig: HostConfig; warnings: string[] } {
  checkAgainstOld(old, update);
  const warnings: string[] = [];
  const wanted = { ...update };
  if (wanted.KernelMemory !== undefined) {
    if (wanted.KernelMemory < 0) throw invalid('Invalid value for kernel memory: must not be negative');
    delete wanted.KernelMemory;
    warnings.push('Specifying a kernel memory limit is deprecated and no longer supported by the kernel. Limitation discarded.');
  }
  // Lists of devices are replaced as a whole.
  const hostConfig = { ...old, ...wanted };
  checkResources(hostConfig, facts, true);
  if (hostConfig.Memory > 0 && hostConfig.MemorySwap === 0) hostConfig.MemorySwap = defaultMemorySwap(hostConfig.Memory);
  if (facts !== undefined) warnings.push(...dropUnsupported(hostConfig, facts));
  return { hostConfig, warnings };
}
