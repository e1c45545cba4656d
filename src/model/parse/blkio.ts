import { isEngineError } from '../../base/index.ts';
import type { HugetlbLimit, ThrottleDevice, WeightDevice } from '../container.ts';
import { formatBytes, parseBytes } from './bytes.ts';
import { splitBlockDevice } from './device.ts';
import { cut, invalid, shown } from './invalid.ts';

/** 0 (not set) or 10..1000. */
export function isBlkioWeight(weight: number): boolean {
  return weight === 0 || (weight >= 10 && weight <= 1000);
}

/** `/dev/x:weight` (--blkio-weight-device). */
export function parseWeightDevice(text: string): WeightDevice {
  const { path, value } = splitBlockDevice(text);
  if (!/^[0-9]{1,5}$/.test(value) || !isBlkioWeight(Number(value))) throw invalid(`invalid weight for device: ${shown(text)}`);
  return { Path: path, Weight: Number(value) };
}

/** `/dev/x:rate`, the rate in bytes per second with an optional unit (--device-read-bps, --device-write-bps). */
export function parseThrottleBps(text: string): ThrottleDevice {
  const { path, value } = splitBlockDevice(text);
  try {
    return { Path: path, Rate: parseBytes(value) };
  } catch (error) {
    if (!isEngineError(error)) throw error;
    throw invalid(`invalid rate for device: ${shown(text)}. The correct format is <device-path>:<number>[<unit>]. `
      + 'Number must be a positive integer. Unit is optional and can be kb, mb, or gb');
  }
}

/** `/dev/x:rate` in operations per second (--device-read-iops, --device-write-iops). */
export function parseThrottleIops(text: string): ThrottleDevice {
  const { path, value } = splitBlockDevice(text);
  if (!/^[0-9]{1,15}$/.test(value)) {
    throw invalid(`invalid rate for device: ${shown(text)}. The correct format is <device-path>:<number>. Number must be a positive integer`);
  }
  return { Path: path, Rate: Number(value) };
}

/** `[page-size:]limit` (--hugetlb-limit): `2MB:32MB`; without a page size it is the host's default one. */
export function parseHugetlbLimit(text: string): HugetlbLimit {
  const { before, after } = cut(text, ':');
  const bad = invalid(`invalid hugetlb limit '${shown(text)}': want [<page size>:]<limit>, such as 2MB:32MB`);
  try {
    if (after === undefined) return { PageSize: '', Limit: parseBytes(before) };
    return { PageSize: hugePageName(parseBytes(before)), Limit: parseBytes(after) };
  } catch (error) {
    throw isEngineError(error) ? bad : error;
  }
}

/** The name the hugetlb controller gives to pages of that size: `64KB`, `2MB`, `1GB`. */
export function hugePageName(bytes: number): string {
  if (bytes < 1024 || !Number.isInteger(Math.log2(bytes))) throw invalid(`invalid huge page size ${bytes}: want a power of two of at least 1KB`);
  return `${formatBytes(bytes).toUpperCase()}B`;
}
