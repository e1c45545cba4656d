/** What this executable is; tools/build.ts puts the values in place of the two names. */
export const buildVersion = process.env.ISULA_VERSION ?? '0.1.0';
export const buildCommit = process.env.ISULA_COMMIT ?? 'unknown';
