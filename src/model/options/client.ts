import { EngineError, parseDetachKeys } from '../../base/index.ts';
import { invalid, shown } from '../parse/invalid.ts';
import type { ContainerOption, PullPolicy, StandardStream } from './types.ts';
import { option, parseSwitch } from './values.ts';

const policies: readonly PullPolicy[] = ['always', 'missing', 'never'];
const streams: readonly StandardStream[] = ['stdin', 'stdout', 'stderr'];

/** What the command line itself does. */
export const clientOptions: readonly ContainerOption[] = [
  option('attach', 'list', 'Attach to STDIN, STDOUT or STDERR', (value, { client }) => {
    const stream = streams.find((known) => known === value.toLowerCase());
    if (stream === undefined) throw invalid('valid streams are STDIN, STDOUT and STDERR');
    if (!client.attach.includes(stream)) client.attach.push(stream);
  }, { short: 'a', values: streams }),
  option('detach', 'bool', 'Run in the background and print the container\'s ID', (value, { client }) => {
    client.detach = parseSwitch(value);
  }, { short: 'd', appliesTo: ['run'] }),
  option('detach-keys', 'string', 'Keys that detach from the container', (value, { client }) => {
    if (value !== '') parseDetachKeys(value);
    client.detachKeys = value;
  }, { appliesTo: ['run'] }),
  option('sig-proxy', 'bool', 'Pass signals on to the container', (value, { client }) => {
    client.sigProxy = parseSwitch(value);
  }, { default: 'true', appliesTo: ['run'] }),
  option('cidfile', 'string', 'Write the container\'s ID to a file', (value, { client, hostConfig }) => {
    client.cidfile = value;
    hostConfig.ContainerIDFile = value;
  }),
  option('pull', 'string', 'When to pull the image: always, missing or never', (value, { client }) => {
    const policy = policies.find((known) => known === value);
    if (policy === undefined) throw invalid(`invalid pull option: '${shown(value)}': must be one of "always", "missing" or "never"`);
    client.pull = policy;
  }, { default: 'missing', values: policies }),
  option('quiet', 'bool', 'Do not show the progress of a pull', (value, { client }) => {
    client.quiet = parseSwitch(value);
  }, { short: 'q' }),
  option('platform', 'string', 'Platform of the image: os/architecture[/variant]', (value, { request }) => {
    request.platform = value;
  }),
  option('disable-content-trust', 'bool', 'Skip the verification of images', (value) => {
    if (!parseSwitch(value)) throw new EngineError('unsupported', '--disable-content-trust=false is not supported: there is no content trust');
  }, { default: 'true', hidden: true }),
];
