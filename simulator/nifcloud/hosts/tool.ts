import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/**
 * Runs one of the machine's tools and returns what it prints. No shell, English messages.
 * @throws when it is missing or ends with another code than 0; the message then holds its own words.
 */
export async function runTool(tool: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execute(tool, args, { env: { ...process.env, LC_ALL: 'C' } });
  return stdout;
}
