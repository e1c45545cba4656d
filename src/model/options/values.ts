import { EngineError } from '../../base/index.ts';
import type { ContainerConfig, HostConfig, ResourceUpdate } from '../container.ts';
import { parseInteger } from '../parse/integer.ts';
import { invalid, shown } from '../parse/invalid.ts';
import { cleanPath } from '../parse/paths.ts';
import type { ContainerOption } from './types.ts';

/** A switch's value (Go: strconv.ParseBool). */
export function parseSwitch(text: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw invalid(`strconv.ParseBool: parsing "${shown(text)}": invalid syntax`);
}

export function parseInt64(text: string): number {
  return parseInteger(text, 'strconv.ParseInt');
}

/** A path made absolute against `cwd` when it starts with a dot, as docker's client does; else unchanged. */
export function resolveDotPath(path: string, cwd: string): string {
  return path.startsWith('.') ? cleanPath(`${cwd}/${path}`) : path;
}

/** The keys of T whose type is exactly Value. */
type KeysOf<T, Value> = { [Key in keyof T]-?: [Value, T[Key]] extends [T[Key], Value] ? Key : never }[keyof T];
type Rest = Partial<Omit<ContainerOption, 'name' | 'type' | 'help' | 'apply' | 'update'>>;

const forNew = ['create', 'run'] as const;
const forAll = ['create', 'run', 'update'] as const;

/** An option of create and run. */
export function option(
  name: string, type: ContainerOption['type'], help: string, apply: NonNullable<ContainerOption['apply']>, rest: Rest = {},
): ContainerOption {
  return { appliesTo: forNew, since: 'docker', ...rest, name, type, help, apply };
}

/** A switch of the HostConfig. */
export function hostSwitch(name: string, key: KeysOf<HostConfig, boolean>, help: string, rest: Rest = {}): ContainerOption {
  return option(name, 'bool', help, (value, { hostConfig }) => {
    hostConfig[key] = parseSwitch(value);
  }, rest);
}

/** A text of the HostConfig, taken as it is. */
export function hostString(name: string, key: KeysOf<HostConfig, string>, help: string, rest: Rest = {}): ContainerOption {
  return option(name, 'string', help, (value, { hostConfig }) => {
    hostConfig[key] = value;
  }, rest);
}

/** A text of the ContainerConfig, taken as it is. */
export function configString(name: string, key: KeysOf<ContainerConfig, string>, help: string, rest: Rest = {}): ContainerOption {
  return option(name, 'string', help, (value, { config }) => {
    config[key] = value;
  }, rest);
}

/** A list of the HostConfig; `check` may change or refuse an entry. */
export function hostList(
  name: string, key: KeysOf<HostConfig, string[]>, help: string, check: (value: string) => string = (value) => value, rest: Rest = {},
): ContainerOption {
  return option(name, 'list', help, (value, { hostConfig }) => {
    hostConfig[key].push(check(value));
  }, rest);
}

type NumberKey = KeysOf<HostConfig, number>;

/** A number that update can change as well. */
export function resourceNumber(
  name: string, key: NumberKey & KeysOf<Required<ResourceUpdate>, number>, help: string, parse: (text: string) => number, rest: Rest = {},
): ContainerOption {
  return {
    appliesTo: forAll, since: 'docker', ...rest, name, type: parse === parseInt64 ? 'int' : 'string', help,
    apply: (value, { hostConfig }) => {
      hostConfig[key] = parse(value);
    },
    update: (value, update) => {
      update[key] = parse(value);
    },
  };
}

/** A number that is set once for all. */
export function hostNumber(name: string, key: NumberKey, help: string, parse: (text: string) => number, rest: Rest = {}): ContainerOption {
  return option(name, parse === parseInt64 ? 'int' : 'string', help, (value, { hostConfig }) => {
    hostConfig[key] = parse(value);
  }, rest);
}

/** An option that is known, and refused because it cannot be honoured here. */
export function refused(name: string, type: ContainerOption['type'], why: string, rest: Rest = {}): ContainerOption {
  const refuse = (): never => {
    throw new EngineError('unsupported', `--${name} is not supported: ${why}`);
  };
  const base = option(name, type, `Not supported: ${why}`, refuse, { hidden: true, ...rest });
  return rest.appliesTo?.includes('update') === true ? { ...base, update: refuse } : base;
}
