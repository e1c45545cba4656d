import { at, flagAt, numberAt, objectOf, textAt, textsAt } from '../../client/index.ts';
import { type Command } from '../command.ts';
import { binarySize } from '../format/units.ts';
import { print, printError } from '../terminal/output.ts';

/** `isula info` (guide 1.3.8.2). */
export const info: Command = {
  spec: {
    name: 'info', usage: '[OPTIONS]', summary: 'Display system-wide information', args: { min: 0, max: 0 },
    flags: [{ name: 'format', short: 'f', type: 'string', help: "Format output: 'json' or a Go template" }],
  },
  async run({ client, flags }) {
    const facts = await client.json('GET', '/info');
    const format = flags.text('format');
    if (format === 'json') print(`${JSON.stringify(facts)}\n`);
    else if (format !== '') print(`${(await import('../template/index.ts')).compileTemplate(format, { escapes: true }).run(facts)}\n`);
    else print(infoText(facts));
    if (format === '') for (const warning of textsAt(facts, 'Warnings')) printError(`${warning}\n`);
    return 0;
  },
};

function infoText(facts: unknown): string {
  const rows: string[] = [];
  const row = (name: string, value: string, indent = 0): void => {
    if (value !== '') rows.push(`${' '.repeat(indent)}${name}: ${value}`);
  };
  row('Containers', String(numberAt(facts, 'Containers')));
  row('Running', String(numberAt(facts, 'ContainersRunning')), 1);
  row('Paused', String(numberAt(facts, 'ContainersPaused')), 1);
  row('Stopped', String(numberAt(facts, 'ContainersStopped')), 1);
  row('Images', String(numberAt(facts, 'Images')));
  row('Server Version', textAt(facts, 'ServerVersion'));
  row('Storage Driver', textAt(facts, 'Driver'));
  const driverStatus = at(facts, 'DriverStatus');
  for (const pair of Array.isArray(driverStatus) ? driverStatus : []) {
    if (Array.isArray(pair)) row(String(pair[0]), String(pair[1]), 1);
  }
  row('Logging Driver', textAt(facts, 'LoggingDriver'));
  row('Cgroup Driver', textAt(facts, 'CgroupDriver'));
  row('Cgroup Version', textAt(facts, 'CgroupVersion'));
  row('Hugetlb Pagesize', textsAt(facts, 'HugetlbPagesize').join(', ') || textAt(facts, 'HugetlbPagesize'));
  row('Runtimes', Object.keys(objectOf(at(facts, 'Runtimes'))).join(' '));
  row('Default Runtime', textAt(facts, 'DefaultRuntime'));
  for (const [name, value] of Object.entries(objectOf(at(facts, 'RuntimeChoice')))) row(name, String(value), 1);
  row('Security Options', textsAt(facts, 'SecurityOptions').map((option) => option.replace(/^name=/, '')).join('; '));
  row('Kernel Version', textAt(facts, 'KernelVersion'));
  row('Operating System', textAt(facts, 'OperatingSystem'));
  row('OSType', textAt(facts, 'OSType'));
  row('Architecture', textAt(facts, 'Architecture'));
  row('CPUs', String(numberAt(facts, 'NCPU')));
  row('Total Memory', binarySize(numberAt(facts, 'MemTotal')));
  row('Name', textAt(facts, 'Name'));
  row('ID', textAt(facts, 'ID'));
  row('iSulad Root Dir', textAt(facts, 'DockerRootDir'));
  for (const proxy of ['HttpProxy', 'HttpsProxy', 'NoProxy']) row(proxy, textAt(facts, proxy));
  row('Debug Mode', String(flagAt(facts, 'Debug')));
  const mirrors = textsAt(facts, 'RegistryConfig', 'Mirrors');
  if (mirrors.length > 0) rows.push('Registry Mirrors:', ...mirrors.map((mirror) => ` ${mirror}`));
  const insecure = Object.entries(objectOf(at(facts, 'RegistryConfig', 'IndexConfigs'))).filter(([, config]) => at(config,
  'Secure') === false).map(([name]) => name);
  if (insecure.length > 0) rows.push('Insecure Registries:', ...insecure.map((name) => ` ${name}`));
  return `${rows.join('\n')}\n`;
}
