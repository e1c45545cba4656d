/**
 * What validation may know of the host; the runtime's HostFacts fit. Without facts (on the command line, in tests) only what holds
 * everywhere is judged.
 */
export interface ValidationFacts {
  cpus: number;
  cgroup: { version: 1 | 2; controllers: ReadonlySet<string> };
  seccompSupported: boolean;
  apparmorEnabled: boolean;
  selinuxEnabled: boolean;
}
