import { isIPv4 } from 'node:net';

/** Reads the value of an annotation; `undefined` when it is none that is allowed. */
export type Parse<T> = (text: string) => T | undefined;

/** The longest path of a health check (docs/reference/nifcloud-api.md §5.1). */
const MAX_PATH = 255;

const MAX_PORT = 65_535;

export const anything: Parse<string> = (text) => text;

export const nothing: Parse<never> = () => undefined;

export function oneOf<T extends string>(...allowed: readonly T[]): Parse<T> {
  return (text) => allowed.find((one) => one === text);
}

export function wholeNumber(min: number, max: number): Parse<number> {
  return (text) => (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined);
}

export const truth: Parse<boolean> = (text) => (text === 'true' ? true : text === 'false' ? false : undefined);

/** An id or a name: no spaces, and nothing that separates the entries of lists. */
export const word: Parse<string> = (text) => (/^[^\s,=]+$/.test(text) ? text : undefined);

export const ipAddress: Parse<string> = (text) => (isIPv4(text) ? text : undefined);

/** Two different ones, as the Go program takes them: with a comma and nothing else between them. */
export const twoIpAddresses: Parse<readonly string[]> = (text) => {
  const addresses = text.split(',');
  return addresses.length === 2 && addresses.every((one) => isIPv4(one)) ? addresses : undefined;
};

export const httpPath: Parse<string> = (text) =>
  /^\/[!-~]*$/.test(text) && text.length <= MAX_PATH ? text : undefined;

export const redirectUrl: Parse<string> = (text) => (/^(https?:\/\/\S+|none)$/.test(text) ? text : undefined);

/** Classes of answers, `2xx,3xx`. */
export const httpCodes: Parse<readonly string[]> = (text) => {
  const codes = entries(text);
  return codes.every((code) => /^[1-5]xx$/.test(code)) ? [...new Set(codes)] : undefined;
};

/** `80=a,443=b`: each port once. */
export function byPort<T>(parse: Parse<T>): Parse<ReadonlyMap<number, T>> {
  return (text) => {
    const values = new Map<number, T>();
    for (const entry of entries(text)) {
      const [port = '', value = '', ...more] = entry.split('=');
      const number = wholeNumber(1, MAX_PORT)(port);
      const parsed = parse(value);
      if (number === undefined || parsed === undefined || more.length > 0 || values.has(number)) return undefined;
      values.set(number, parsed);
    }
    return values;
  };
}

function entries(text: string): readonly string[] {
  return text.split(',').map((entry) => entry.trim());
}
