export type * from './types.ts';
export { checkHostWishes, generateSpec } from './generate-spec.ts';
export type { GeneratedSpec } from './spec.ts';
export { selinuxLabels } from './selinux.ts';
export { execProcess, type ExecProcessInput } from './spec-process.ts';
export { readHostFacts } from './host-facts.ts';
export { openRuntime, type RuntimeOptions } from './driver.ts';
