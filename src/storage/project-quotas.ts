import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/index.ts';
import { projectOf, setProjectQuota } from '../linux/index.ts';
import type { Layout } from './layout.ts';

/** Project ids below are left to the administrator (/etc/projects). */
const firstProject = 1_000_000;

/** Gives each limited container a project id of its own. The ids in use are read from the directories, at the first need. */
export class ProjectQuotas {
  #last: number | undefined;

  constructor(private readonly layout: Layout) {}

  /** Limits what may be written below an empty directory. @throws EngineError unsupported. */
  limit(directory: string, bytes: number): void {
    const project = (this.#last ?? this.#highest()) + 1;
    setProjectQuota(directory, project, bytes);
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
