/**
 * Prints isulad's manual page, of the same table as its parser and its help; install.sh puts it at man8/isulad.8.
 *
 * Usage: bun tools/isulad-man.ts
 */
import { flagItems, heading, roff } from '../src/cli/commands/man.ts';
import { daemonOptions } from '../src/daemon/config/options.ts';

const flags = daemonOptions.filter(({ name }) => name !== '').map(({ name, short, help, isSwitch }) => ({
  name, help, type: isSwitch ? 'bool' : 'string', ...(short === undefined ? {} : { short }),
} as const));

function items(rows: readonly (readonly [term: string, text: string])[]): string {
  return rows.map(([term, text]) => `.TP\n\\fB${roff(term)}\\fR\n${roff(text)}\n`).join('');
}

const fileKeys = daemonOptions.flatMap(({ keys, file }) => (file === 'daemon' ? keys.slice(0, 1) : [])).toSorted();

process.stdout.write([
  heading('isulad', 'daemon of the iSula container engine', '[OPTIONS]', 8),
  '.SH DESCRIPTION\n',
  `${roff('isulad runs containers for isula and for clients of the Docker Engine API, and answers the thin end of the Kubernetes CRI.')}\n`,
  `${roff('Containers do not depend on it: it may be stopped, replaced or killed while they run on.')}\n`,
  `.SH OPTIONS\n${flagItems(flags)}`,
  '.SH CONFIGURATION\n',
  `${roff('A JSON object in daemon.json; what the command line says goes before it. hosts and default-ulimits may stand in one place only.')}\n`,
  `${roff(`Its keys: ${fileKeys.join(', ')}.`)}\n`,
  `.SH SIGNALS\n${items([
    ['SIGTERM, SIGINT', 'Ends the daemon; containers go on.'], ['SIGHUP', 'Takes the log level from the configuration anew.'],
  ])}`,
  `.SH ENVIRONMENT\n${items([['ISULAD_TMPDIR', 'Where isulad_tmpdir is made, which is emptied at every start; the graph root unless it is set.']])}`,
  `.SH FILES\n${items([
    ['/etc/isulad/daemon.json', 'The configuration.'], ['/etc/isulad/daemon_constants.json', 'Registry names, beside it.'],
    ['/etc/isulad/seccomp_default.json', 'The built-in seccomp profile, to be copied and changed for --security-opt seccomp=FILE.'],
    ['/var/lib/isulad', 'The graph root: images, containers, volumes.'], ['/var/run/isulad', 'The state root: what runs.'],
    ['/var/run/isulad.sock', 'The default socket.'],
  ])}`,
  '.SH SEE ALSO\n.BR isula (1)\n',
].join(''));
