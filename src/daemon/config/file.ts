import { readFileSync, statSync } from 'node:fs';
import { EngineError, errnoOf, isRecord, messageOf } from '../../base/index.ts';
import type { ConfigDraft } from './config.ts';
import type { DaemonOption } from './option.ts';

const maxFileBytes = 1024 * 1024;
/** How much of a bad value a message repeats. */
const maxShown = 200;

export function fileError(path: string, problem: string): EngineError {
  return new EngineError('invalidArgument', `unable to configure the isulad with file ${path}: ${problem}`);
}

/** A value as a message shows it. */
function shownValue(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > maxShown ? `${json.slice(0, maxShown)}…` : json;
}

/** The JSON object in a file; undefined when it is not there. @throws EngineError for anything else. */
export function readConfigFile(path: string): Record<string, unknown> | undefined {
  let content: string;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw fileError(path, 'it is not a regular file');
    if (stat.size > maxFileBytes) throw fileError(path, `it is larger than ${maxFileBytes} bytes`);
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (error instanceof EngineError) throw error;
    throw fileError(path, `cannot read it: ${messageOf(error)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw fileError(path, `it is not valid JSON: ${messageOf(error)}`);
  }
  if (!isRecord(value)) throw fileError(path, `want a JSON object, found ${shownValue(value)}`);
  return value;
}

/** Which options a file gives, with the key that was used and the value. @throws EngineError for unknown and doubled keys. */
export function optionsInFile(path: string, document: Record<string, unknown>, table: readonly DaemonOption[]) {
  const found: { option: DaemonOption; key: string; value: unknown }[] = [];
  for (const [key, value] of flatKeys(path, document, table)) {
    const option = table.find(({ keys }) => keys.includes(key));
    if (!option) throw fileError(path, `unknown key ${JSON.stringify(key)} with value ${shownValue(value)}`);
    const other = found.find((earlier) => earlier.option === option);
    if (other) throw fileError(path, `keys ${JSON.stringify(other.key)} and ${JSON.stringify(key)} are the same option: give one`);
    found.push({ option, key, value });
  }
  return found;
}

/** `{"tls-config": {"CAFile": …}}` becomes `tls-config.CAFile`, where the table has such keys. */
function flatKeys(path: string, document: Record<string, unknown>, table: readonly DaemonOption[]): [string, unknown][] {
  return Object.entries(document).flatMap(([key, value]): [string, unknown][] => {
    const isNested = table.some(({ keys }) => keys.some((candidate) => candidate.startsWith(`${key}.`) && candidate !== 'native.umask'));
    if (!isNested) return [[key, value]];
    if (!isRecord(value)) throw fileError(path, `invalid value ${shownValue(value)} for key ${JSON.stringify(key)}: want an object`);
    return Object.entries(value).map(([inner, item]) => [`${key}.${inner}`, item]);
  });
}

/** Puts a file's options into the draft. @throws EngineError naming file, key and value. */
export function applyFile(path: string, options: ReturnType<typeof optionsInFile>, draft: ConfigDraft): void {
  for (const { option, key, value } of options) {
    try {
      option.takeJson(value, draft);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw fileError(path, `invalid value ${shownValue(value)} for key ${JSON.stringify(key)}: ${error.message}`);
    }
  }
}
