import { messageOf } from '../../base/index.ts';
import { checkHostname, parseUser, formatUser } from '../parse/identity.ts';
import { invalid, shown, cut } from '../parse/invalid.ts';
import { parseEnv, parseEnvFile, parseLabel, parseLabelFile } from '../parse/key-values.ts';
import { parseSignal } from '../parse/signal.ts';
import type { ContainerOption, RequestDraft } from './types.ts';
import { configString, hostSwitch, option, parseInt64, parseSwitch } from './values.ts';

function readText(draft: RequestDraft, path: string, what: string): string {
  try {
    return draft.context.readFile(path);
  } catch (error) {
    throw invalid(`${what}: cannot read ${shown(path)}: ${messageOf(error)}`);
  }
}

/** What runs in the container, and what it is told: command, user, environment, labels. */
export const processOptions: readonly ContainerOption[] = [
  option('name', 'string', 'Name of the container', (value, { request }) => {
    request.name = value;
  }, { short: 'n' }),
  option('annotation', 'list', 'Annotation key=value, such as native.umask=normal|secure', (value, { config }) => {
    const { before, after } = cut(value, '=');
    if (before === '') throw invalid('the empty string is not permitted as an annotation key');
    config.Annotations = { ...config.Annotations, [before]: after ?? '' };
  }, { metavar: 'map' }),
  option('entrypoint', 'string', 'Entry point instead of the image\'s', (value, { config }) => {
    config.Entrypoint = [value];
  }),
  // Files first: what --env and --label say wins.
  option('env-file', 'list', 'File of environment variables, one NAME=value a line', (value, draft) => {
    draft.config.Env.push(...parseEnvFile(readText(draft, value, '--env-file'), value, draft.context.env));
  }),
  option('env', 'list', 'Environment variable NAME=value; NAME alone takes the caller\'s value', (value, { config, context }) => {
    config.Env.push(parseEnv(value, context.env));
  }, { short: 'e' }),
  option('label-file', 'list', 'File of labels, one name=value a line', (value, draft) => {
    const labels = parseLabelFile(readText(draft, value, '--label-file'), value);
    draft.config.Labels = { ...draft.config.Labels, ...Object.fromEntries(labels) };
  }),
  option('label', 'list', 'Label name=value', (value, { config }) => {
    config.Labels = { ...config.Labels, ...Object.fromEntries([parseLabel(value)]) };
  }, { short: 'l' }),
  option('hostname', 'string', 'Host name of the container', (value, { config }) => {
    if (value !== '') checkHostname(value);
    config.Hostname = value;
  }, { short: 'h' }),
  configString('domainname', 'Domainname', 'NIS domain name of the container'),
  option('user', 'string', 'User to run as: name|uid[:group|gid]', (value, { config }) => {
    config.User = value === '' ? '' : formatUser(parseUser(value));
  }, { short: 'u' }),
  option('workdir', 'string', 'Working directory of the command', (value, { config }) => {
    config.WorkingDir = value;
  }, { short: 'w' }),
  option('interactive', 'bool', 'Keep standard input open even when nothing is attached', (value, { config }) => {
    config.OpenStdin = parseSwitch(value);
  }, { short: 'i' }),
  option('tty', 'bool', 'Allocate a terminal', (value, { config }) => {
    config.Tty = parseSwitch(value);
  }, { short: 't' }),
  option('stop-signal', 'string', 'Signal that stops the container (SIGTERM by default)', (value, { config }) => {
    parseSignal(value);
    config.StopSignal = value;
  }),
  option('stop-timeout', 'int', 'Seconds to wait for its end after the stop signal', (value, { config }) => {
    config.StopTimeout = parseInt64(value);
  }),
  hostSwitch('init', 'Init', 'Run an init in the container that passes signals on and reaps processes'),
  hostSwitch('rm', 'AutoRemove', 'Remove the container and its anonymous volumes when it ends'),
];
