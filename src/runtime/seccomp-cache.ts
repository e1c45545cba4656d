import { createHash } from 'node:crypto';
import { messageOf, type Logger } from '../base/index.ts';
import { compileSeccomp, type SeccompFilter } from '../linux/index.ts';

/** Filters that are kept: one for each set of capabilities and profile in use. */
const cacheLimit = 64;

/**
 * Compiled seccomp filters by what they were compiled from. crun takes one ready-made (annotation run.oci.seccomp_bpf_data,
 * since 0.19): compiling the default profile costs it 12 ms for every container, and us once.
 */
export class SeccompCache {
  readonly #programs = new Map<string, string | undefined>();

  constructor(readonly logger: Logger) {}

  /** The filter's program in base64; undefined where it cannot be compiled here, and the runtime must. */
  program(filter: SeccompFilter): string | undefined {
    const key = createHash('sha256').update(JSON.stringify(filter)).digest('base64');
    if (this.#programs.has(key)) return this.#programs.get(key);
    let program: string | undefined;
    try {
      program = compileSeccomp(filter)?.toString('base64');
    } catch (error) {
      this.logger.warn(messageOf(error));
    }
    const oldest = this.#programs.keys().next();
    if (this.#programs.size >= cacheLimit && !oldest.done) this.#programs.delete(oldest.value);
    this.#programs.set(key, program);
    return program;
  }
}
