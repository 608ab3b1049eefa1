import { UsageError } from './flags.ts';

/** The environment of a process; a parameter, so that tests hand in their own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws UsageError naming the variable when it is missing or empty. */
export function requiredEnvironment(environment: Environment, name: string): string {
  const value = environment[name];
  if (value === undefined || value === '') throw new UsageError(`environment variable ${name} is not set; see --help`);
  return value;
}
