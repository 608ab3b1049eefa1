import { systemClock } from '../../daemon/clock.ts';
import { flag, helpText, parseFlags, UsageError } from '../../daemon/flags.ts';
import { createLogger } from '../../daemon/logger.ts';
import { runDaemon } from '../../daemon/shutdown.ts';
import { startApiServer } from './server.ts';

const PROGRAM = 'kubernetes-simulator';

const FLAGS = {
  listen: flag.text({ default: '127.0.0.1:0', value: 'HOST:PORT', help: 'where to listen; port 0 takes a free one' }),
  v: flag.integer({ default: 0, min: 0, help: 'log level; 4 logs every request' }),
  help: flag.boolean({ help: 'print this text' }),
};

await runDaemon(PROGRAM, async (signal) => {
  const flags = parseFlags(FLAGS, process.argv.slice(2));
  if (flags.help) {
    const summary = 'An embedded Kubernetes API for demos and tests: it holds objects and runs no controllers.';
    process.stdout.write(helpText({ program: PROGRAM, summary, environment: [] }, FLAGS));
    return;
  }
  const logger = createLogger({ format: 'text', verbosity: flags.v, secrets: () => [] });
  const server = await startApiServer({ ...hostAndPort(flags.listen), logger });
  process.stdout.write(`${JSON.stringify({ listening: server.url })}\n`);
  try {
    await systemClock.sleep(Infinity, signal);
  } finally {
    await server.stop();
  }
});

function hostAndPort(text: string): { readonly host: string; readonly port: number } {
  const match = /^\[?([^[\]]+)\]?:(\d{1,5})$/.exec(text);
  if (match?.[1] === undefined) throw new UsageError(`--listen=${text} is not allowed: it takes HOST:PORT`);
  return { host: match[1], port: Number(match[2]) };
}
