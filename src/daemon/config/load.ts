import { dirname, join } from 'node:path';
import { EngineError, parseArguments } from '../../base/index.ts';
import { absolutePath } from './checks.ts';
import { defaultConfig, type ConfigDraft, type DaemonConfig } from './config.ts';
import { applyFile, fileError, optionsInFile, readConfigFile } from './file.ts';
import type { DaemonOption } from './option.ts';
import { daemonOptions } from './options.ts';

const flagTable = daemonOptions.filter(({ name }) => name !== '');

/** Values given on the command line, by option. */
type FlagValues = Map<DaemonOption, string[]>;

/** What the command line asks for besides running: decided before any file is read. */
export type DaemonCommand = 'run' | 'help' | 'version';

/** @throws EngineError invalidArgument for unknown flags and stray words. */
export function parseFlags(argv: readonly string[]): { command: DaemonCommand; values: FlagValues } {
  const { flags, positionals } = parseArguments(argv, flagTable, { interspersed: true });
  const [stray] = positionals;
  if (stray !== undefined) throw new EngineError('invalidArgument', `unknown argument ${JSON.stringify(stray)}: isulad takes flags only`);
  const values: FlagValues = new Map();
  for (const { flag, value } of flags) values.set(flag, [...(values.get(flag) ?? []), value]);
  const isOn = (name: string) => flags.some(({ flag, value }) => flag.name === name && value !== 'false');
  return { command: isOn('help') ? 'help' : isOn('version') ? 'version' : 'run', values };
}

/**
 * The daemon's configuration: flag before file before default (guide 1.2.3.1).
 * @throws EngineError whose message names the flag, or the file and the key, and the value.
 */
export function loadConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): DaemonConfig {
  const { values } = parseFlags(argv);
  const draft = defaultConfig();
  const isFileGiven = [...values.keys()].some(({ name }) => name === 'config-file');
  for (const [option, texts] of values) {
    if (option.name === 'config-file') applyFlag(option, texts, draft);
  }
  draft.constantsFile = join(dirname(draft.configFile), 'daemon_constants.json');

  const document = readConfigFile(draft.configFile);
  if (!document && isFileGiven) throw fileError(draft.configFile, 'no such file');
  const fromFile = optionsInFile(draft.configFile, document ?? {}, daemonOptions.filter(({ file }) => file === 'daemon'));
  refuseDoubled(draft.configFile, fromFile, values);
  applyFile(draft.configFile, fromFile, draft);
  const constants = readConfigFile(draft.constantsFile) ?? {};
  applyFile(draft.constantsFile, optionsInFile(draft.constantsFile, constants, daemonOptions.filter(({ file }) => file === 'constants')), draft);

  for (const [option, texts] of values) applyFlag(option, texts, draft);
  return finish(draft, env);
}

function applyFlag(option: DaemonOption, texts: readonly string[], draft: ConfigDraft): void {
  try {
    option.takeFlags(texts, draft);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const shown = option.short === undefined ? `--${option.name}` : `-${option.short}, --${option.name}`;
    const given = option.isRepeatable ? texts.map((text) => JSON.stringify(text)).join(', ') : JSON.stringify(texts.at(-1));
    throw new EngineError('invalidArgument', `invalid argument ${given} for "${shown}" flag: ${error.message}`);
  }
}

/** The keys that must not stand in both places, in the guide's words (1.2.3.4). */
function refuseDoubled(path: string, fromFile: ReturnType<typeof optionsInFile>, values: FlagValues): void {
  const doubled = fromFile.flatMap(({ option, value }) => {
    const given = values.get(option);
    if (option.exclusiveAs === undefined || !given) return [];
    return [`${option.exclusiveAs}: (from flag: [${given.join(' ')}], from file: [${inFile(value)}])`];
  });
  if (doubled.length > 0) {
    throw fileError(path, `the following directives are specified both as a flag and in the configuration file: ${doubled.join(', ')}`);
  }
}

function inFile(value: unknown): string {
  if (Array.isArray(value)) return value.map(String).join(' ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Fills what depends on other values, checks what must fit together, and freezes. */
function finish(draft: ConfigDraft, env: Readonly<Record<string, string | undefined>>): DaemonConfig {
  if (draft.hosts.length === 0) draft.hosts = [{ kind: 'unix', path: '/var/run/isulad.sock', text: 'unix:///var/run/isulad.sock' }];
  if (draft.logPath === '') draft.logPath = draft.graph;
  if (draft.tlsVerify) draft.tls = true;
  draft.tmpDir = join(tmpRoot(draft, env), 'isulad_tmpdir');

  const hosts = draft.hosts.map(({ text }) => text);
  const twice = hosts.find((text, index) => hosts.indexOf(text) !== index);
  if (twice !== undefined) throw new EngineError('invalidArgument', `host ${twice} is given twice`);
  if (draft.graph === draft.state || draft.state.startsWith(`${draft.graph}/`) || draft.graph.startsWith(`${draft.state}/`)) {
    throw new EngineError('invalidArgument', `graph ${draft.graph} and state ${draft.state}: want two directories, neither inside the other`);
  }
  const names = ['lcr', 'crun', 'runc', ...Object.keys(draft.runtimes)];
  if (!names.some((name) => name.toLowerCase() === draft.defaultRuntime.toLowerCase())) {
    // No flag sets it.
    const value = JSON.stringify(draft.defaultRuntime);
    throw fileError(draft.configFile, `invalid value ${value} for key "default-runtime": want one of ${names.join(', ')}`);
  }
  return deepFreeze(draft);
}

function tmpRoot(draft: ConfigDraft, env: Readonly<Record<string, string | undefined>>): string {
  const given = env['ISULAD_TMPDIR'];
  if (given === undefined || given === '') return draft.graph;
  try {
    return absolutePath(given);
  } catch {
    throw new EngineError('invalidArgument', `invalid value ${JSON.stringify(given)} for environment variable ISULAD_TMPDIR: want an absolute path`);
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) deepFreeze(item);
    Object.freeze(value);
  }
  return value;
}
