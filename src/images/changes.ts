import { EngineError } from '../base/index.ts';
import type { HealthConfig, ImageConfigFields } from '../model/index.ts';
import { isStringList } from './json.ts';

/**
 * Dockerfile instructions applied to an image's configuration (`import -c`, `commit -c`): CMD ENTRYPOINT ENV EXPOSE
 * HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR, in shell or JSON form where Dockerfiles have both.
 */
type Apply = (config: ImageConfigFields, argument: string) => void;

const instructions: Record<string, Apply> = {
  CMD: (config, argument) => { config.Cmd = command(argument, config.Shell); },
  ENTRYPOINT: (config, argument) => { config.Entrypoint = command(argument, config.Shell); },
  ENV: (config, argument) => { config.Env = mergedEnv(config.Env ?? [], pairs('ENV', argument)); },
  LABEL: (config, argument) => { config.Labels = { ...config.Labels, ...Object.fromEntries(pairs('LABEL', argument)) }; },
  EXPOSE: (config, argument) => {
    config.ExposedPorts = { ...config.ExposedPorts };
    for (const port of words(argument)) for (const name of exposedPorts(port)) config.ExposedPorts[name] = {};
  },
  VOLUME: (config, argument) => {
    config.Volumes = { ...config.Volumes };
    for (const path of jsonList(argument) ?? words(argument)) {
      if (path.trim() === '') throw wrong('VOLUME specified can not be an empty string');
      config.Volumes[path] = {};
    }
  },
  USER: (config, argument) => { config.User = one('USER', argument); },
  WORKDIR: (config, argument) => {
    const path = unquoted(argument);
    config.WorkingDir = normalPath(path.startsWith('/') ? path : `${config.WorkingDir ?? ''}/${path}`);
  },
  STOPSIGNAL: (config, argument) => { config.StopSignal = one('STOPSIGNAL', argument); },
  ONBUILD: (config, argument) => {
    const trigger = (words(argument)[0] ?? '').toUpperCase();
    if (trigger === 'ONBUILD') throw wrong("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === 'FROM' || trigger === 'MAINTAINER') throw wrong(`${trigger} isn't allowed as an ONBUILD trigger`);
    config.OnBuild = [...(config.OnBuild ?? []), argument];
  },
  HEALTHCHECK: (config, argument) => { config.Healthcheck = healthcheck(argument); },
};

/** A new configuration with the instructions applied in order. @throws invalidArgument naming the instruction */
export function applyChanges(config: ImageConfigFields, changes: readonly string[]): ImageConfigFields {
  const changed: ImageConfigFields = structuredClone(config);
  for (const change of changes) {
    for (const line of change.replaceAll(/\\[ \t]*\r?\n/g, '').split(/\r?\n/)) {
      const text = line.trim();
      if (text === '' || text.startsWith('#')) continue;
      const [, name = '', argument = ''] = /^(\S+)\s*([\s\S]*)$/.exec(text) ?? [];
      const apply = instructions[name.toUpperCase()];
      if (!apply) throw wrong(`${name.slice(0, 40)} is not a valid change command`);
      if (argument === '') throw wrong(`${name.toUpperCase()} requires at least one argument`);
      apply(changed, argument);
    }
  }
  return changed;
}

function wrong(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

function jsonList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isStringList(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function command(argument: string, shell: string[] | undefined): string[] {
  return jsonList(argument) ?? [...(shell ?? ['/bin/sh', '-c']), argument];
}

/** Splits at blanks outside quotes; quotes and backslashes are taken away. */
function words(text: string): string[] {
  const found: string[] = [];
  let word = '';
  let begun = false;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\' && quote !== "'" && at + 1 < text.length) {
      word += text.charAt(++at);
      begun = true;
    } else if (quote !== '') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      begun = true;
    } else if (/\s/.test(char)) {
      if (begun) found.push(word);
      word = '';
      begun = false;
    } else {
      word += char;
      begun = true;
    }
  }
  if (quote !== '') throw wrong(`unexpected end of statement while looking for matching ${quote === '"' ? 'double' : 'single'}-quote`);
  if (begun) found.push(word);
  return found;
}

function unquoted(text: string): string {
  return words(text).join(' ');
}

function one(name: string, argument: string): string {
  const found = words(argument);
  const [word] = found;
  if (found.length !== 1 || word === undefined) throw wrong(`${name} requires exactly one argument`);
  return word;
}

/** `KEY=value …`, or the old `KEY value with blanks`. */
function pairs(name: string, argument: string): [string, string][] {
  const [, key = '', rest = ''] = /^([^\s=]+)\s+([\s\S]+)$/.exec(argument) ?? [];
  if (key !== '' && !/^["']/.test(key)) return [[key, rest]];
  return words(argument).map((word) => {
    const at = word.indexOf('=');
    if (at < 0) throw wrong(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    if (at === 0) throw wrong(`${name} names can not be blank`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

function mergedEnv(env: readonly string[], added: readonly [string, string][]): string[] {
  const merged = [...env];
  for (const [key, value] of added) {
    const at = merged.findIndex((entry) => entry.startsWith(`${key}=`));
    if (at < 0) merged.push(`${key}=${value}`);
    else merged[at] = `${key}=${value}`;
  }
  return merged;
}

function exposedPorts(text: string): string[] {
  const [, first = '', last, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const from = Number(first);
  const to = last === undefined ? from : Number(last);
  if (first === '' || from < 1 || to > 65535 || to < from) throw wrong(`Invalid containerPort: ${text.slice(0, 40)}`);
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol.toLowerCase()}`);
}

function normalPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function healthcheck(argument: string): HealthConfig {
  const health: HealthConfig = {};
  let rest = argument;
  for (;;) {
    const option = /^--([a-z-]+)=(\S+)\s+/.exec(rest);
    if (!option) break;
    const [whole, name = '', value = ''] = option;
    rest = rest.slice(whole.length);
    if (name === 'retries') {
      if (!/^\d{1,9}$/.test(value)) throw wrong(`invalid value for --retries: ${value.slice(0, 40)}`);
      health.Retries = Number(value);
    } else {
      const key = healthDurations.get(name);
      if (key === undefined) throw wrong(`Unknown flag: ${name.slice(0, 40)}`);
      health[key] = durationNs(value);
    }
  }
  const [, type = '', test = ''] = /^(\S+)\s*([\s\S]*)$/.exec(rest) ?? [];
  if (type.toUpperCase() === 'NONE') return { Test: ['NONE'] };
  if (type.toUpperCase() !== 'CMD') throw wrong(`Unknown type ${JSON.stringify(type.slice(0, 40))} in HEALTHCHECK (try CMD)`);
  if (test === '') throw wrong('Missing command after HEALTHCHECK CMD');
  const list = jsonList(test);
  health.Test = list ? ['CMD', ...list] : ['CMD-SHELL', test];
  return health;
}

type HealthDuration = 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval';
const healthDurations = new Map<string, HealthDuration>([
  ['interval', 'Interval'], ['timeout', 'Timeout'], ['start-period', 'StartPeriod'], ['start-interval', 'StartInterval'],
]);
const unitNs = new Map([['h', 3600e9], ['m', 60e9], ['s', 1e9], ['ms', 1e6], ['us', 1e3], ['µs', 1e3], ['ns', 1]]);

/** Go's duration syntax (`1m30s`), in nanoseconds. */
function durationNs(text: string): number {
  let total = 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)/g)];
  for (const [, amount = '', unit = ''] of parts) total += Number(amount) * (unitNs.get(unit) ?? 0);
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text) throw wrong(`invalid duration: ${text.slice(0, 40)}`);
  return total;
}
