/**
 * Prints the built-in seccomp profile as a file: install.sh puts it at /etc/isulad/seccomp_default.json, for administrators to read and to change.
 *
 * Usage: bun tools/seccomp-default.ts
 */
import { defaultSeccompProfile } from '../src/security/index.ts';

process.stdout.write(`${JSON.stringify(defaultSeccompProfile(), undefined, 2)}\n`);
