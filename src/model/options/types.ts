import type { ContainerConfig, ContainerCreateRequest, HostConfig, ResourceUpdate } from '../container.ts';

/** The commands that share this table. */
export type OptionCommand = 'create' | 'run' | 'update';

/** What an option's value may need of the machine the command line runs on. */
export interface OptionContext {
  /** A variable of the caller's environment. */
  env(name: string): string | undefined;
  /** The text of a file (--env-file, --label-file, --security-opt seccomp=…); throws what the system says. */
  readFile(path: string): string;
  /** Where relative host paths start. */
  readonly cwd: string;
}

export type PullPolicy = 'always' | 'missing' | 'never';
export type StandardStream = 'stdin' | 'stdout' | 'stderr';

/** Options that the client itself acts upon. */
export interface ClientOptions {
  detach: boolean;
  /** File that gets the container's id; empty: none. */
  cidfile: string;
  pull: PullPolicy;
  /** No pull progress. */
  quiet: boolean;
  /** Pass signals on to the container. */
  sigProxy: boolean;
  /** Empty: the default, ctrl-p,ctrl-q. */
  detachKeys: string;
  /** As asked by --attach; empty: not asked. */
  attach: StandardStream[];
}

/** What the options fill, one after the other. */
export interface RequestDraft {
  readonly request: ContainerCreateRequest;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly client: ClientOptions;
  readonly context: OptionContext;
  /** Options of user networks, keyed by the network they belong to. */
  readonly endpoint: ContainerCreateRequest['networkingConfig']['EndpointsConfig'][string];
  noHealthcheck: boolean;
}

/**
 * One option of create, run or update. Name, short, type, metavar, help, default, aliases, hidden and values feed the parser, `--help`,
 * completion and the manual; `apply` and `update` give it its meaning.
 */
export interface ContainerOption {
  /** Long name without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** `list` options may be given several times; of the others the last one counts. */
  readonly type: 'bool' | 'string' | 'int' | 'list';
  /** Word for the value in help. */
  readonly metavar?: string;
  readonly help: string;
  readonly default?: string;
  /** Other spellings, taken but not shown. */
  readonly aliases?: readonly string[];
  readonly hidden?: boolean;
  /** Values that completion offers. */
  readonly values?: readonly string[];
  readonly appliesTo: readonly OptionCommand[];
  /** Whose option it is: docker's (isula has many of them too), or one that only iSula has. */
  readonly since: 'docker' | 'isula';
  /** Puts one value into a new container's request. @throws invalidArgument, unsupported. */
  apply?(value: string, draft: RequestDraft): void;
  /** Puts one value into an update. */
  update?(value: string, update: ResourceUpdate): void;
}
