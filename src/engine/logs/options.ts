import { EngineError } from '../../base/index.ts';
import { checkLogConfig, parseBytes, type LogConfig } from '../../model/index.ts';
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

/** Size-bounded, so that a pattern cannot run for long: these are names of labels and variables. */
const patternLengthMax = 256;

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
 * @throws invalidArgument
 */
export function parseLogOptions(config: LogConfig, defaults: LogConfig): LogSettings {
  const driver = config.Type === '' ? defaults.Type : config.Type;
  const inherits = config.Type === '' || config.Type === defaults.Type;
  const merged = { Type: driver, Config: { ...(inherits ? defaults.Config : {}), ...config.Config } };
  checkLogConfig(merged);
  const options = new Map(Object.entries(merged.Config));
  const maxSize = options.get('max-size') ?? '';
  const maxBytes = maxSize === '' ? defaultMaxBytes : maxSize === '-1' ? Infinity : parseBytes(maxSize);
  if (maxBytes < maxBytesMin) throw bad(`invalid value for max-size: ${maxSize}: cannot be less than ${maxBytesMin} bytes`);
  const maxFiles = Number(options.get('max-file') ?? defaultMaxFiles);
  if (maxFiles > logFilesMax) throw bad(`invalid value for max-file: ${maxFiles}: cannot be more than ${logFilesMax}`);
  const tag = options.get('tag') ?? '';
  if (tag.length > listLengthMax) throw bad(`invalid value for tag: longer than ${listLengthMax} characters`);
  return {
    disabled: options.get('disable-log') === 'true' || driver === 'none',
    maxBytes,
    maxFiles,
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
  const sorted = [...chosen].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join(',');
}

/** The annotations by which the guide's inspect shows where the output goes (1.3.1.10); `path`: the log. */
export function consoleAnnotations(settings: LogSettings, path: string): Record<string, string> {
  const kilobytes = settings.maxBytes / 1024;
  const rough = Number.isInteger(kilobytes) ? `${kilobytes}KB` : String(settings.maxBytes);
  const size = Number.isInteger(kilobytes / 1024) ? `${kilobytes / 1024}MB` : rough;
  return {
    'log.console.file': settings.disabled ? 'none' : path,
    'log.console.filerotate': String(settings.maxFiles),
    'log.console.filesize': settings.maxBytes === Infinity ? '-1' : size,
  };
}
