import { EngineError } from '../../base/index.ts';
import { parseBytes, type LogConfig } from '../../model/index.ts';
import { logFilesMax } from './files.ts';

/** iSula's defaults (guide 1.3.1.10: `log.console.filerotate` 7, `log.console.filesize` 1MB). */
const defaultMaxFiles = 7;
const defaultMaxBytes = 1024 * 1024;

/** Below this a log would be rotated all the time. */
const maxBytesMin = 1024;

/** Longest list of labels or variables, in characters, and longest tag. */
const listLengthMax = 4096;

/** How a container's output is kept. */
export interface LogSettings {
  /** Nothing is kept: `logs` has nothing to read. */
  readonly disabled: boolean;
  readonly maxBytes: number;
  /** Files in all, the one being written among them. */
  readonly maxFiles: number;
  /** Names of labels and variables that `logs --details` shows; the patterns choose further ones. */
  readonly labels: readonly string[];
  readonly labelsPattern: RegExp | undefined;
  readonly env: readonly string[];
  readonly envPattern: RegExp | undefined;
  /** Docker's template of a tag for `logs --details`; empty: none. */
  readonly tag: string;
}

const knownOptions: ReadonlySet<string> = new Set(['disable-log', 'max-size', 'max-file', 'labels', 'labels-regex', 'env', 'env-regex', 'tag', 'mode', 'compress']);
/** The guide's name, docker's names for the same thing, and conmon's. */
const fileDrivers: ReadonlySet<string> = new Set(['json-file', 'local', 'k8s-file', 'file']);

/** Size-bounded, so that a pattern cannot run for long: these are names of labels and variables. */
const patternLengthMax = 256;

/** A log rotated before it holds one line would be no log; one of more files than this no rotation. */
function maxFilesOf(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw bad(`invalid value for max-file: ${JSON.stringify(text.slice(0, 80))} is no number`);
  const count = Number(text);
  if (count < 1) throw bad('max-file cannot be less than 1');
  if (count > logFilesMax) throw bad(`max-file cannot be more than ${logFilesMax}`);
  return count;
}

function maxBytesOf(text: string): number {
  if (text === '-1') return Infinity;
  let bytes: number;
  try {
    bytes = parseBytes(text);
  } catch (error) {
    throw new EngineError('invalidArgument', `invalid value for max-size: ${error instanceof Error ? error.message : text.slice(0, 80)}`);
  }
  if (bytes <= 0) throw bad('max-size should be a positive number');
  if (bytes < maxBytesMin) throw bad(`max-size cannot be less than ${maxBytesMin} bytes`);
  return bytes;
}

function booleanOf(name: string, text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw bad(`invalid value for ${name}: ${JSON.stringify(text.slice(0, 80))}, want true or false`);
}

function listOf(name: string, text: string | undefined): string[] {
  if (text !== undefined && text.length > listLengthMax) throw bad(`invalid value for ${name}: longer than ${listLengthMax} characters`);
  return (text ?? '').split(',').map((one) => one.trim()).filter((one) => one !== '');
}

function patternOf(name: string, text: string | undefined): RegExp | undefined {
  if (text === undefined || text === '') return undefined;
  // Nested repetition is what makes matching explode; names need none.
  if (text.length > patternLengthMax || /[*+}]\)?[*+{]|\)[*+{]/.test(text)) throw bad(`invalid value for ${name}: the pattern is too complex`);
  try {
    return new RegExp(text);
  } catch {
    throw bad(`invalid value for ${name}: ${JSON.stringify(text)} is no regular expression`);
  }
}

function bad(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/**
 * What `--log-driver`, `--log-opt` and the daemon's `container-log` come to (guide 1.3.1.16; 004_ container-log). The
 * container's options go before the daemon's, one by one, unless it names another driver.
 * @throws invalidArgument, in docker's words for json-file; unsupported for a driver or mode that is not built.
 */
export function parseLogOptions(config: LogConfig, defaults: LogConfig): LogSettings {
  const driver = config.Type === '' ? defaults.Type : config.Type;
  if (driver !== '' && driver !== 'none' && !fileDrivers.has(driver)) throw bad(`logger: no log driver named '${driver.slice(0, 80)}' is registered`);
  const inherits = config.Type === '' || config.Type === defaults.Type;
  const options = new Map(Object.entries({ ...(inherits ? defaults.Config : {}), ...config.Config }));
  for (const name of options.keys()) {
    if (!knownOptions.has(name)) throw bad(`unknown log opt '${name.slice(0, 80)}' for ${driver === '' ? 'json-file' : driver} log driver`);
  }
  const mode = options.get('mode') ?? 'blocking';
  if (mode === 'non-blocking') throw new EngineError('unsupported', "log opt 'mode=non-blocking' is not supported: output is never dropped");
  if (mode !== 'blocking' && mode !== '') throw bad(`logger: logging mode not supported: ${mode.slice(0, 80)}`);
  if (booleanOf('compress', options.get('compress') ?? 'false')) {
    throw new EngineError('unsupported', "log opt 'compress=true' is not supported: rotated logs stay readable text");
  }
  const maxSize = options.get('max-size') ?? '';
  const maxFile = options.get('max-file') ?? '';
  const tag = options.get('tag') ?? '';
  if (tag.length > listLengthMax) throw bad(`invalid value for tag: longer than ${listLengthMax} characters`);
  return {
    disabled: booleanOf('disable-log', options.get('disable-log') ?? 'false') || driver === 'none',
    maxBytes: maxSize === '' ? defaultMaxBytes : maxBytesOf(maxSize),
    maxFiles: maxFile === '' ? defaultMaxFiles : maxFilesOf(maxFile),
    labels: listOf('labels', options.get('labels')),
    labelsPattern: patternOf('labels-regex', options.get('labels-regex')),
    env: listOf('env', options.get('env')),
    envPattern: patternOf('env-regex', options.get('env-regex')),
    tag,
  };
}

/** What a tag's template may name, as docker documents it. */
export interface LogTagFacts {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly imageName: string;
}

function expandTag(tag: string, facts: LogTagFacts): string {
  const values: Record<string, string> = {
    ID: facts.id.slice(0, 12), FullID: facts.id, Name: facts.name, ImageID: facts.imageId.replace(/^sha256:/, '').slice(0, 12),
    ImageFullID: facts.imageId, ImageName: facts.imageName, DaemonName: 'isulad',
  };
  return tag.replace(/\{\{\s*\.([A-Za-z]+)\s*\}\}/g, (whole: string, name: string) => (Object.hasOwn(values, name) ? values[name] ?? '' : whole));
}

/** The text that `logs --details` puts before each line: `name=value` with commas between, sorted, escaped as in a URL. */
export function logDetails(
  settings: LogSettings,
  container: { labels: Readonly<Record<string, string>>; env: readonly string[] } & LogTagFacts,
): string {
  const chosen = new Map<string, string>();
  for (const [name, value] of Object.entries(container.labels)) {
    if (settings.labels.includes(name) || settings.labelsPattern?.test(name) === true) chosen.set(name, value);
  }
  for (const variable of container.env) {
    const cut = variable.indexOf('=');
    const name = cut < 0 ? variable : variable.slice(0, cut);
    if (settings.env.includes(name) || settings.envPattern?.test(name) === true) chosen.set(name, cut < 0 ? '' : variable.slice(cut + 1));
  }
  if (settings.tag !== '') chosen.set('tag', expandTag(settings.tag, container));
  return [...chosen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join(',');
}

/** The annotations by which the guide's inspect shows where the output goes (1.3.1.10); `path`: the log. */
export function consoleAnnotations(settings: LogSettings, path: string): Record<string, string> {
  const megabytes = settings.maxBytes / 1024 / 1024;
  const size = Number.isInteger(megabytes) ? `${megabytes}MB` : Number.isInteger(settings.maxBytes / 1024) ? `${settings.maxBytes / 1024}KB` : String(settings.maxBytes);
  return {
    'log.console.file': settings.disabled ? 'none' : path,
    'log.console.filerotate': String(settings.maxFiles),
    'log.console.filesize': settings.maxBytes === Infinity ? '-1' : size,
  };
}
