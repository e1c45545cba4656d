import type { Logger } from '../base/index.ts';
import type { HostFacts, OciSpec } from './types.ts';

/** A runtime by its name, ready to be run. */
export interface ResolvedRuntime {
  name: string;
  path: string;
  args: string[];
}

/** What the parts of the conmon driver share. */
export interface DriverContext {
  readonly logger: Logger;
  readonly facts: HostFacts;
  readonly conmonPath: string;
  /** Where conmon writes one file per ended container, named by its id. */
  readonly exitDir: string;
  resolveRuntime(name: string): ResolvedRuntime;
  /** What is executed for a runtime's path: crun from a sealed copy, others as they are. */
  executableOf(path: string): string;
  /** True for a crun: what we know of its ways holds. */
  isCrun(path: string): boolean;
  /** State directory of a runtime (`crun --root`), ours alone. */
  runtimeRoot(name: string): string;
  /** The specification as this runtime gets it: with a compiled seccomp filter, or a place for its hooks' errors, where it takes one. */
  prepareSpec(spec: OciSpec, runtime: ResolvedRuntime, bundlePath: string): OciSpec;
}
