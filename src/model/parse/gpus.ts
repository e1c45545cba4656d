import type { DeviceRequest } from '../container.ts';
import { parseCsv } from './csv.ts';
import { cut, invalid, shown } from './invalid.ts';

function parseCount(text: string): number {
  if (text === 'all') return -1;
  if (!/^-?[0-9]{1,9}$/.test(text)) throw invalid(`invalid count (${shown(text)}): value must be either "all" or an integer: invalid syntax`);
  return Number(text);
}

function parseOptions(text: string): Record<string, string> {
  return Object.fromEntries(parseCsv(text).map((pair) => [cut(pair, '=').before, cut(pair, '=').after ?? '']));
}

/** `--gpus`: `all`, a number, or CSV of driver, count, device, capabilities, options. */
export function parseGpus(text: string): DeviceRequest {
  const request: DeviceRequest = { Driver: '', Count: 0, DeviceIDs: [], Capabilities: [['gpu']], Options: {} };
  const seen = new Set<string>();
  for (const field of parseCsv(text)) {
    const { before, after } = cut(field, '=');
    const key = after === undefined ? 'count' : before;
    if (seen.has(key)) throw invalid(`gpu request key '${shown(key)}' can be specified only once`);
    seen.add(key);
    const value = after ?? before;
    if (key === 'count') request.Count = parseCount(value);
    else if (key === 'driver') request.Driver = value;
    else if (key === 'device') request.DeviceIDs = value.split(',');
    else if (key === 'capabilities') request.Capabilities = [[...value.split(','), 'gpu']];
    else if (key === 'options') request.Options = parseOptions(value);
    else throw invalid(`unexpected key '${shown(key)}' in '${shown(field)}'`);
  }
  if (!seen.has('count') && request.DeviceIDs.length === 0) request.Count = 1;
  return request;
}
