import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoOf, isEngineError } from '../base/index.ts';
import { projectOf, setProjectQuota } from '../linux/index.ts';
import type { Layout } from './layout.ts';

/** Project ids below are left to the administrator (/etc/projects). */
const firstProject = 1_000_000;

/** The guide's words (1.3.3.5). */
const needsQuota = '--storage-opt is supported only for overlay over xfs or ext4 with \'pquota\' mount option';

/** Gives each limited container a project id of its own. The ids in use are read from the directories, at the first need. */
export class ProjectQuotas {
  #last: number | undefined;

  constructor(private readonly layout: Layout) {}

  /** Limits what may be written below an empty directory. @throws EngineError unsupported. */
  limit(directory: string, bytes: number): void {
    const project = (this.#last ?? this.#highest()) + 1;
    try {
      setProjectQuota(directory, project, bytes);
    } catch (error) {
      if (!isEngineError(error, 'unsupported')) throw error;
      throw new EngineError('unsupported', `${needsQuota}: ${error.message}`, { cause: error });
    }
    this.#last = project;
  }

  #highest(): number {
    let highest = firstProject;
    for (const parent of [this.layout.containers, this.layout.staging]) {
      for (const name of readdirSync(parent)) {
        try {
          highest = Math.max(highest, projectOf(join(parent, name)));
        } catch (error) {
          // No project ids on this file system: the first use says so.
          if (errnoOf(error) === 'ENOTTY' || errnoOf(error) === 'EOPNOTSUPP') return firstProject;
          throw error;
        }
      }
    }
    return highest;
  }
}
