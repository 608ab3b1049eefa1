import { UsageError } from './flags.ts';
import { describeError } from './logger.ts';

/**
 * Runs a program until it returns or the process is told to stop.
 *
 * - SIGTERM and SIGINT abort the signal; a program that then returns, or throws the signal's reason, exits with 0.
 * - A second SIGTERM or SIGINT ends the process at once, with 1.
 * - A UsageError is one line on stderr and exit 1; any other error is printed with its stack and exits with 1.
 */
export async function runDaemon(program: string, main: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stopping = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort(new Error(`stopped by ${name}`));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  try {
    await main(stopping.signal);
    exit(0);
  } catch (error) {
    if (stopping.signal.aborted && error === stopping.signal.reason) {
      exit(0);
    } else if (error instanceof UsageError) {
      process.stderr.write(`${program}: ${error.message}\n`);
      exit(1);
    } else {
      process.stderr.write(
        `${program}: ${describeError(error)}\n${error instanceof Error ? (error.stack ?? '') : ''}\n`,
      );
      exit(1);
    }
  }
}

/** Lets stdout and stderr drain first: `process.exit` alone cuts what a pipe has not taken yet. */
function exit(code: number): void {
  process.exitCode = code;
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}
