import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupDir, type CgroupLayout } from './cgroup-layout.ts';

/**
 * Takes the wait out of moving a process into a cgroup.
 *
 * The kernel guards such moves by a lock whose first taker waits for an RCU grace period (10 to 20 ms); for some time after a move others
 * come for free (kernel/rcu/sync.c, kernel/cgroup/cgroup.c: cgroup_threadgroup_rwsem). A container's start moves a process after some 20 ms
 * of other work: `begin` makes a move that changes nothing, of this process into the cgroup where it is, beside that work.
 */
export class CgroupAttach {
  readonly #path: string | undefined;
  #underWay = false;

  constructor(layout: CgroupLayout) {
    this.#path = ownProcsFile(layout);
  }

  begin(): void {
    if (this.#path === undefined || this.#underWay) return;
    this.#underWay = true;
    const done = (): void => {
      this.#underWay = false;
    };
    // Refused (a cgroup that may hold no processes): then the start only takes as long as it does.
    writeFile(this.#path, String(process.pid)).then(done, done);
  }
}

/** `cgroup.procs` of the cgroup of this process, in the hierarchy with the least to do. */
function ownProcsFile(layout: CgroupLayout): string | undefined {
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').split('\n')) {
    const [, controllers = '', path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const wanted = layout.version === 2 ? controllers === '' : controllers === 'name=systemd' || controllers === 'freezer';
    const dir = wanted ? cgroupDir(layout, controllers, path) : undefined;
    if (dir !== undefined) return join(dir, 'cgroup.procs');
  }
  return undefined;
}
