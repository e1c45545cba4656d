import { EngineError, isEngineError } from '../../base/index.ts';
import type { ContainerCreateRequest, ResourceUpdate } from '../container.ts';
import { defaultContainerConfig, defaultHostConfig } from '../defaults.ts';
import { invalid, shown } from '../parse/invalid.ts';
import type { ClientOptions, ContainerOption, OptionContext, RequestDraft } from './types.ts';

/** Values as the parser found them, by the option's name, in the order they were given. */
export type OptionValues = ReadonlyMap<string, readonly string[]>;

/** Docker's words for a value that cannot be read; other failures keep theirs. */
function explain(option: ContainerOption, value: string, error: unknown): unknown {
  if (!isEngineError(error, 'invalidArgument')) return error;
  const flag = option.short === undefined ? `--${option.name}` : `-${option.short}, --${option.name}`;
  return new EngineError('invalidArgument', `invalid argument "${shown(value)}" for "${flag}" flag: ${error.message}`, { cause: error });
}

function forEachValue(table: readonly ContainerOption[], values: OptionValues, use: (option: ContainerOption, value: string) => void): void {
  for (const option of table) {
    const given = values.get(option.name) ?? [];
    for (const value of option.type === 'list' ? given : given.slice(-1)) {
      try {
        use(option, value);
      } catch (error) {
        throw explain(option, value, error);
      }
    }
  }
}

/** Docker's rules for which streams a client attaches to, and when standard input ends. */
function finishStreams({ config, client }: RequestDraft): void {
  if (client.detach) {
    if (client.attach.length > 0) throw invalid('conflicting options: cannot specify both --attach and --detach');
    return;
  }
  const nothingAsked = client.attach.length === 0;
  config.AttachStdin = config.OpenStdin || client.attach.includes('stdin');
  config.AttachStdout = nothingAsked || client.attach.includes('stdout');
  config.AttachStderr = nothingAsked || client.attach.includes('stderr');
  config.StdinOnce = config.OpenStdin && config.AttachStdin;
}

function finishHealth({ config, noHealthcheck }: RequestDraft): void {
  if (!noHealthcheck) return;
  if (config.Healthcheck !== undefined) throw invalid('--no-healthcheck conflicts with --health-* options');
  config.Healthcheck = { Test: ['NONE'] };
}

/**
 * The request for the options of create or run, and what the client itself has to do. Only what the command line can know is
 * checked; `validateCreate` judges the whole.
 * @throws invalidArgument, unsupported.
 */
export function buildRequest(
  table: readonly ContainerOption[], values: OptionValues, image: string, command: readonly string[], context: OptionContext,
): { request: ContainerCreateRequest; clientOptions: ClientOptions } {
  const config = { ...defaultContainerConfig(), Image: image, Cmd: command.length > 0 ? [...command] : null };
  const hostConfig = defaultHostConfig();
  const request: ContainerCreateRequest = { name: '', platform: '', config, hostConfig, networkingConfig: { EndpointsConfig: {} } };
  const client: ClientOptions = { detach: false, cidfile: '', pull: 'missing', quiet: false, sigProxy: true, detachKeys: '', attach: [] };
  const draft: RequestDraft = { request, config, hostConfig, client, context, endpoint: {}, noHealthcheck: false };
  forEachValue(table, values, (option, value) => option.apply?.(value, draft));
  finishStreams(draft);
  finishHealth(draft);
  if (Object.keys(draft.endpoint).length > 0) request.networkingConfig.EndpointsConfig[hostConfig.NetworkMode || 'default'] = draft.endpoint;
  return { request, clientOptions: client };
}

/** The change that the options of update ask for. @throws invalidArgument, also when they ask for nothing. */
export function buildResourceUpdate(table: readonly ContainerOption[], values: OptionValues): ResourceUpdate {
  const update: ResourceUpdate = {};
  forEachValue(table, values, (option, value) => option.update?.(value, update));
  if (Object.keys(update).length === 0) throw invalid('you must provide one or more flags when using this command');
  return update;
}
