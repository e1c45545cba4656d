import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bundleFiles } from './bundle.ts';
import type { DriverContext } from './context.ts';

const textLimitBytes = 1000;

/** What failed hooks have written so far (crun leaves it in a file of the bundle; runc quotes it in its own message), its end. */
export function hookErrors(bundlePath: string): string {
  const path = join(bundlePath, bundleFiles.hookErrors);
  return existsSync(path) ? readFileSync(path, 'utf8').slice(-textLimitBytes) : '';
}

/**
 * Runs a step of the runtime in which hooks run whose failure it passes over in silence (poststart, poststop: the container goes its way),
 * and brings what they wrote into the log.
 */
export async function reportingHooks<T>(ctx: DriverContext, id: string, bundlePath: string, step: () => Promise<T>): Promise<T> {
  const path = join(bundlePath, bundleFiles.hookErrors);
  const size = (): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const before = size();
  const result = await step();
  if (size() > before) {
    const text = readFileSync(path).subarray(before).subarray(-textLimitBytes).toString().trim();
    ctx.logger.warn(`Container ${id}: its hooks wrote to their standard error: ${text}`);
  }
  return result;
}
